/* Every statement that the program sends to its database, by name; the values to bind stand beside each. */
#ifndef REHA_STORE_SQL_H
#define REHA_STORE_SQL_H

typedef enum reha_sql {
    REHA_SQL_CHANGE_MARK,  /* changes when another connection commits */
    REHA_SQL_CHECK,        /* faults of structure */
    REHA_SQL_CHECKPOINT,   /* empties the journal; not 0: somebody reads, it could not */
    REHA_SQL_SETTING,      /* name */
    REHA_SQL_SETTING_ADD,  /* name, value */
    REHA_SQL_SETTING_PUT,  /* name, value, version before */
    REHA_SQL_SETTING_DROP, /* name */
    REHA_SQL_USER_COUNT,
    REHA_SQL_USERS,
    REHA_SQL_USER,                 /* id or name */
    REHA_SQL_USER_ADD,             /* id, name, display name, hash, role, time */
    REHA_SQL_USER_CHANGE,          /* id, display name, role, active */
    REHA_SQL_USER_PASSWORD,        /* id, hash */
    REHA_SQL_USER_SECRETS,         /* id or name */
    REHA_SQL_USER_FAILED,          /* id, tries, locked until */
    REHA_SQL_USER_SIGNED_IN,       /* id, time, one-time step */
    REHA_SQL_USER_TOTP,            /* id, sealed secret, on, step */
    REHA_SQL_USER_ADMINISTRATORS,  /* active ones but for this id */
    REHA_SQL_SESSION_ADD,          /* id, token hash, user, now */
    REHA_SQL_SESSION,              /* token hash */
    REHA_SQL_SESSION_SEEN,         /* id, now */
    REHA_SQL_SESSION_END,          /* id */
    REHA_SQL_SESSIONS_END,         /* user, but for this session */
    REHA_SQL_SESSIONS_FORGET,      /* created before */
    REHA_SQL_TOKENS,               /* newest first */
    REHA_SQL_TOKEN,                /* id */
    REHA_SQL_TOKEN_SECRETS,        /* id */
    REHA_SQL_TOKEN_ADD,            /* id, name, role, hash of the secret, maker, time, expiry */
    REHA_SQL_TOKEN_REVOKE,         /* id, time */
    REHA_SQL_TOKEN_FAILED,         /* id, tries, locked until */
    REHA_SQL_TOKEN_USED,           /* id, now */
    REHA_SQL_PATIENTS,             /* identity, like, cursor, limit */
    REHA_SQL_PATIENTS_COUNT,       /* identity, like */
    REHA_SQL_PATIENT,              /* identity, id */
    REHA_SQL_PATIENT_ADD,          /* id, pseudonym, name, birth year, sex, note, external mac, time */
    REHA_SQL_PATIENT_CHANGE,       /* id, pseudonym, name, birth year, sex, note */
    REHA_SQL_PATIENT_BY_EXTERNAL,  /* mac */
    REHA_SQL_PATIENT_BY_PSEUDONYM, /* id or pseudonym */
    REHA_SQL_EPISODES,             /* patient */
    REHA_SQL_EPISODE,              /* id */
    REHA_SQL_EPISODE_ADD, /* id, patient, condition, side, onset, surgery, surgery date, goals, open, time */
    REHA_SQL_EPISODE_CHANGE, /* id, condition, side, onset, surgery, surgery date, goals, open */
    REHA_SQL_STUDIES, /* identity, like, status, patient, modality, from, to, cursor place, cursor id, limit
                       */
    REHA_SQL_STUDIES_COUNT, /* identity, like, status, patient, modality, from, to */
    REHA_SQL_STUDY_COUNTS,
    REHA_SQL_STUDY_TIMES,   /* of all: when each changed last */
    REHA_SQL_STUDY,         /* identity, id */
    REHA_SQL_STUDY_BY_UID,  /* uid */
    REHA_SQL_STUDY_UID,     /* id */
    REHA_SQL_STUDY_ADD,     /* id, patient, episode, uid, modality, body part, image date, time */
    REHA_SQL_STUDY_ASSIGN,  /* id, patient, episode */
    REHA_SQL_STUDY_SIGNED,  /* id, name or null, time or null */
    REHA_SQL_STUDY_REFRESH, /* id: counts, status and headline from what belongs to it; next version */
    REHA_SQL_IMAGES,        /* study */
    REHA_SQL_IMAGE,         /* id */
    REHA_SQL_IMAGE_KNOWN,   /* source digest, SOP instance UID */
    REHA_SQL_IMAGE_ADD,     /* id, study, SOP UID, digest, source digest, bytes, facts, date, side hint, time,
                               head */
    REHA_SQL_IMAGE_HEADLESS, /* the first whose head was not read */
    REHA_SQL_IMAGE_HEAD_PUT, /* id, head */
    REHA_SQL_DICOM_STUDIES,  /* UIDs (JSON), patterns of pseudonym, mac of the number, patterns of name, from,
                                to, modalities (JSON), patterns of accession number, description; limit,
                                offset */
    REHA_SQL_DICOM_STUDIES_COUNT, /* the same without limit and offset */
    REHA_SQL_DICOM_IMAGES,        /* study */
    REHA_SQL_DICOM_REFERENCE,     /* image */
    REHA_SQL_IMAGE_DIGESTS,       /* every stored file */
    REHA_SQL_JOB,                 /* id */
    REHA_SQL_JOB_NEWEST,          /* image */
    REHA_SQL_JOB_ADD,             /* id, image, task (NULL: the program chooses), time */
    REHA_SQL_JOB_OPEN,            /* image, task */
    REHA_SQL_JOBS_OPEN,
    REHA_SQL_JOBS_WAITING,
    REHA_SQL_JOB_CLAIM,    /* time: the oldest that waits */
    REHA_SQL_JOB_END,      /* id, state, text, time */
    REHA_SQL_JOBS_REQUEUE, /* those that a stopped process left */
    REHA_SQL_UPLOAD,       /* user, key */
    REHA_SQL_UPLOAD_ADD,   /* user, key, digest, answer, time */
    REHA_SQL_RESULT,       /* id */
    REHA_SQL_RESULTS,      /* image: those that stand, oldest first */
    REHA_SQL_RESULT_ADD,   /* id, image, time, task, whether it was named, input digest, model, version, hash,
                              software, accepted, headline, findings, analysis */
    REHA_SQL_PICTURE_ADD,  /* result, name, digest */
    REHA_SQL_PICTURE,      /* result, name */
    REHA_SQL_MEASUREMENT_ADD, /* result, region, key, label, side, value, unit, error */
    REHA_SQL_REVIEWS,         /* result: the newest decision on each finding */
    REHA_SQL_REVIEW_ADD, /* id, result, region, finding, decision, value, software value, reason, user, time
                          */
    REHA_SQL_SET_ASIDE,  /* result */
    REHA_SQL_SET_ASIDES, /* image: its results that were set aside */
    REHA_SQL_SET_ASIDE_ADD,       /* result, user, reason, time */
    REHA_SQL_SIGNATURES,          /* study */
    REHA_SQL_SIGNATURE_ADD,       /* id, study, user, role, time, comment, content, hash */
    REHA_SQL_SIGNATURE_WITHDRAW,  /* signature, user, reason, time */
    REHA_SQL_OUTBOX,              /* signature or null, state or null, limit: newest first */
    REHA_SQL_OUTBOX_COUNTS,       /* of each state: how many, first put in, last ended */
    REHA_SQL_OUTBOX_ADD,          /* signature, study, time */
    REHA_SQL_OUTBOX_DROP,         /* study, reason, time: what was not sent yet */
    REHA_SQL_OUTBOX_NEXT,         /* now: what is due and waits longest */
    REHA_SQL_OUTBOX_TAKE,         /* signature */
    REHA_SQL_OUTBOX_TAKEN,        /* those that somebody has taken */
    REHA_SQL_OUTBOX_GIVE_BACK,    /* signature, or null for all that are taken */
    REHA_SQL_OUTBOX_SENT,         /* signature, destination, objects (JSON), time */
    REHA_SQL_OUTBOX_END,          /* signature, state, reason, time */
    REHA_SQL_OUTBOX_LATER,        /* signature, or null for all that are due; now, time, reason, is a refusal,
                                     refusals at most, tries at most, first and longest pause */
    REHA_SQL_OUTBOX_ENDED_AT,     /* time: those that failed then */
    REHA_SQL_OUTBOX_AGAIN,        /* signature, or null for all: of those that failed or wait */
    REHA_SQL_SERIES_MEASUREMENTS, /* patient */
    REHA_SQL_SCORES,              /* patient */
    REHA_SQL_SCORE,               /* id */
    REHA_SQL_SCORE_ADD, /* id, patient, episode, instrument, value, answers (JSON), unit, side, date, note,
                           user, time */
    REHA_SQL_SCORE_WITHDRAW,   /* id, reason */
    REHA_SQL_PLANS,            /* patient: the newest version of each */
    REHA_SQL_PLAN,             /* id, version or -1 for the newest */
    REHA_SQL_PLAN_VERSIONS,    /* id */
    REHA_SQL_PLAN_ADD,         /* id, patient, episode */
    REHA_SQL_PLAN_NEXT,        /* id, version before */
    REHA_SQL_PLAN_VERSION_ADD, /* plan, version, content, reason, user, time */
    REHA_SQL_PREDICTIONS,      /* patient */
    REHA_SQL_PREDICTION,       /* id */
    REHA_SQL_PREDICTION_ADD,   /* id, patient, episode, outcome, content, model, hash, user, time */
    REHA_SQL_FILE_IS_NAMED,    /* digest: whether a record names this stored file */
    REHA_SQL_ERASE_MARK, /* patient: from here to ERASE_PATIENT in one transaction, in this order (erase.h) */
    REHA_SQL_ERASE_COUNTS,
    REHA_SQL_ERASE_OUTBOX,
    REHA_SQL_ERASE_WITHDRAWALS,
    REHA_SQL_ERASE_SIGNATURES,
    REHA_SQL_ERASE_REVIEWS,
    REHA_SQL_ERASE_SET_ASIDES,
    REHA_SQL_ERASE_MEASUREMENTS,
    REHA_SQL_ERASE_PICTURES,
    REHA_SQL_ERASE_UPLOADS,
    REHA_SQL_ERASE_RESULTS,
    REHA_SQL_ERASE_JOBS,
    REHA_SQL_ERASE_IMAGES,
    REHA_SQL_ERASE_STUDIES,
    REHA_SQL_ERASE_PREDICTIONS,
    REHA_SQL_ERASE_PLAN_VERSIONS,
    REHA_SQL_ERASE_PLANS,
    REHA_SQL_ERASE_SCORES,
    REHA_SQL_ERASE_LINKS, /* of other patients' studies to an episode of this one */
    REHA_SQL_ERASE_EPISODES,
    REHA_SQL_ERASE_UNMARK,
    REHA_SQL_ERASE_PATIENT, /* patient */
    REHA_SQL_AUDIT_HEAD,
    REHA_SQL_AUDIT_HEAD_PUT, /* no, hash, mac */
    REHA_SQL_AUDIT_ADD,      /* no, at, user, role, action, entity, entity id, detail, former hash, hash */
    REHA_SQL_AUDIT_PART,     /* after no, limit: raw, in order */
    REHA_SQL_AUDIT,          /* user, action, from, to, before no, limit */
    REHA_SQL_AUDIT_COUNT,    /* user, action, from, to */
    REHA_SQL_OUTBOX_CARE,    /* how many wait or failed, and for how many seconds the first of each; reads
                                nothing of what was sent */
    REHA_SQL_OUTBOX_GIVE_UP, /* signature, reason, time: of those that failed or wait */
    REHA_SQL_COUNT
} reha_sql;

const char *reha_sql_text(reha_sql which);

#endif

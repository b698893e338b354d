#include "service/clinic_priv.h"

#include <string.h>

static const char *const role_names[REHA_ROLE_COUNT] = {[REHA_ROLE_NONE] = "none",
                                                        [REHA_ROLE_PHYSIOTHERAPIST] = "physiotherapist",
                                                        [REHA_ROLE_REVIEWER] = "reviewer",
                                                        [REHA_ROLE_ADMINISTRATOR] = "administrator",
                                                        [REHA_ROLE_RESEARCHER] = "researcher",
                                                        [REHA_ROLE_READ_ONLY] = "read-only",
                                                        [REHA_ROLE_LOCAL] = "local"};

static const char *const permission_names[REHA_PERMISSION_COUNT] = {[REHA_MAY_READ] = "read",
                                                                    [REHA_MAY_IDENTITY] = "identity",
                                                                    [REHA_MAY_UPLOAD] = "upload",
                                                                    [REHA_MAY_PATIENTS] = "patients",
                                                                    [REHA_MAY_CARE] = "care",
                                                                    [REHA_MAY_REVIEW] = "review",
                                                                    [REHA_MAY_SIGN] = "sign",
                                                                    [REHA_MAY_EXPORT] = "export",
                                                                    [REHA_MAY_USERS] = "users",
                                                                    [REHA_MAY_AUDIT] = "audit",
                                                                    [REHA_MAY_ADMINISTER] = "administer"};

#define MAY(permission) (1U << REHA_MAY_##permission)
static const unsigned matrix[REHA_ROLE_COUNT] = {
    [REHA_ROLE_NONE] = 0,
    [REHA_ROLE_PHYSIOTHERAPIST] = MAY(READ) | MAY(IDENTITY) | MAY(UPLOAD) | MAY(PATIENTS) | MAY(CARE) |
                                  MAY(REVIEW) | MAY(SIGN) | MAY(EXPORT),
    [REHA_ROLE_REVIEWER] = MAY(READ) | MAY(IDENTITY) | MAY(UPLOAD) | MAY(REVIEW) | MAY(SIGN) | MAY(EXPORT),
    [REHA_ROLE_ADMINISTRATOR] = MAY(READ) | MAY(IDENTITY) | MAY(UPLOAD) | MAY(PATIENTS) | MAY(EXPORT) |
                                MAY(USERS) | MAY(AUDIT) | MAY(ADMINISTER),
    [REHA_ROLE_RESEARCHER] = MAY(READ) | MAY(EXPORT),
    [REHA_ROLE_READ_ONLY] = MAY(READ) | MAY(IDENTITY),
    [REHA_ROLE_LOCAL] = MAY(READ) | MAY(IDENTITY) | MAY(UPLOAD) | MAY(PATIENTS) | MAY(CARE) | MAY(EXPORT) |
                        MAY(USERS) | MAY(AUDIT) | MAY(ADMINISTER)};
#undef MAY

const char *reha_role_name(reha_role role)
{
    return (int)role >= 0 && role < REHA_ROLE_COUNT ? role_names[role] : "none";
}

reha_role reha_role_find(const char *name)
{
    for (int role = REHA_ROLE_NONE + 1; role < REHA_ROLE_LOCAL; role++) {
        if (strcmp(role_names[role], name) == 0) {
            return (reha_role)role;
        }
    }
    return REHA_ROLE_NONE;
}

const char *reha_permission_name(reha_permission permission)
{
    return (int)permission >= 0 && permission < REHA_PERMISSION_COUNT ? permission_names[permission] : "none";
}

bool reha_role_may(reha_role role, reha_permission permission)
{
    return (int)role >= 0 && role < REHA_ROLE_COUNT && (int)permission >= 0 &&
           permission < REHA_PERMISSION_COUNT && (matrix[role] >> permission & 1U) != 0;
}

reha_actor reha_actor_nobody(void)
{
    return (reha_actor){.user_id = "", .role = REHA_ROLE_NONE, .session_id = ""};
}

reha_actor reha_actor_local(void)
{
    return (reha_actor){.user_id = "local", .role = REHA_ROLE_LOCAL, .session_id = ""};
}

reha_actor clinic_system_actor(void)
{
    return (reha_actor){.user_id = "system", .role = REHA_ROLE_LOCAL, .session_id = ""};
}

reha_status clinic_may(const reha_actor *actor, reha_permission permission, reha_error *err)
{
    if (reha_role_may(actor->role, permission)) {
        return REHA_OK;
    }
    return actor->role == REHA_ROLE_NONE
               ? reha_fail(err, REHA_E_SIGNED_OUT, "sign in first")
               : reha_fail(err, REHA_E_DENIED, "the role %s may not do this (needs the permission '%s')",
                           reha_role_name(actor->role), reha_permission_name(permission));
}

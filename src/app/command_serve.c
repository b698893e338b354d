/* `rehascope serve`: the clinic, until SIGTERM or Ctrl-C. */
#include "app/commands.h"
#include "app/home.h"
#include "app/terminal.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/sync.h"
#include "service/archive.h"
#include "service/demo.h"
#include "service/node.h"
#include "web/assets.h"
#include "web/server.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

enum { DEFAULT_PORT = 8080, NO_PORT = -1, LOG_BYTES_MAX = 32 << 20 };

typedef struct serve_arguments {
    const char *home;
    const char *address;
    int port;
    const char *certificate;
    const char *key;
    const char *models;
    const char *backups;
    const char *inbox;
    const char *inbox_task;
    int dicom_port; /* NO_PORT: no DICOM node */
    const char *dicom_address;
    const char *dicom_title;
    const char *dicom_peers;
    reha_tls_files dicom_tls;
    const char *archive; /* NULL: none */
    reha_tls_files archive_tls;
    const char *log;
    bool demo;
} serve_arguments;

static const app_option serve_options[] = {
    APP_HOME_OPTION(serve_arguments),
    {"port", APP_INTEGER, "N", "where to listen (default 8080; 0: any free port)",
     offsetof(serve_arguments, port), 0, 65535},
    {"address", APP_TEXT, "IP", "where to listen (default 127.0.0.1; others need TLS)",
     offsetof(serve_arguments, address), 0, 0},
    {"tls-cert", APP_TEXT, "F.pem", "certificate chain", offsetof(serve_arguments, certificate), 0, 0},
    {"tls-key", APP_TEXT, "F.pem", "its key", offsetof(serve_arguments, key), 0, 0},
    {"models", APP_TEXT, "DIR", "folder of models (default: beside the program)",
     offsetof(serve_arguments, models), 0, 0},
    {"backups", APP_TEXT, "DIR", "where backups from the pages go (default: HOME/backups)",
     offsetof(serve_arguments, backups), 0, 0},
    {"inbox", APP_TEXT, "DIR",
     "watched folder: files that rest in it are stored and removed (default: HOME/inbox, if it is there)",
     offsetof(serve_arguments, inbox), 0, 0},
    {"inbox-task", APP_TEXT, "TASK",
     "the recogniser that files of the watched folder are given to (default: by what the image is)",
     offsetof(serve_arguments, inbox_task), 0, 0},
    {"dicom-port", APP_INTEGER, "N",
     "receive images by DICOM here, often 104 or 11112 (default: not at all; 0: any free port)",
     offsetof(serve_arguments, dicom_port), 0, 65535},
    {"dicom-address", APP_TEXT, "IP",
     "where the DICOM node listens (default 127.0.0.1; others need --dicom-peers)",
     offsetof(serve_arguments, dicom_address), 0, 0},
    {"dicom-ae", APP_TEXT, "TITLE", "our AE title, of the node and as a sender (default REHASCOPE)",
     offsetof(serve_arguments, dicom_title), 0, 0},
    {"dicom-peers", APP_TEXT, "F.json", "who may send to it: AE titles and addresses",
     offsetof(serve_arguments, dicom_peers), 0, 0},
    {"dicom-tls-cert", APP_TEXT, "F.pem", "DICOM over TLS: our certificate ...",
     offsetof(serve_arguments, dicom_tls.certificate), 0, 0},
    {"dicom-tls-key", APP_TEXT, "F.pem", "... its key ...", offsetof(serve_arguments, dicom_tls.key), 0, 0},
    {"dicom-tls-ca", APP_TEXT, "F.pem", "... and the authority that signed those of the callers",
     offsetof(serve_arguments, dicom_tls.authority), 0, 0},
    {"dicom-send-to", APP_TEXT, "AE@HOST:PORT", "signed reports go to this archive (PACS) by themselves",
     offsetof(serve_arguments, archive), 0, 0},
    {"dicom-send-tls-cert", APP_TEXT, "F.pem", "... over TLS: our certificate ...",
     offsetof(serve_arguments, archive_tls.certificate), 0, 0},
    {"dicom-send-tls-key", APP_TEXT, "F.pem", "... its key ...", offsetof(serve_arguments, archive_tls.key),
     0, 0},
    {"dicom-send-tls-ca", APP_TEXT, "F.pem", "... and the authority that signed the archive's",
     offsetof(serve_arguments, archive_tls.authority), 0, 0},
    {"log", APP_TEXT, "FILE", "log of requests and faults, '-' for standard error (default: HOME/server.log)",
     offsetof(serve_arguments, log), 0, 0},
    {"demo", APP_FLAG, NULL, "fill a new home with generated patients first, to look around",
     offsetof(serve_arguments, demo), 0, 0},
    {NULL, APP_FLAG, NULL, NULL, 0, 0, 0}};

static volatile sig_atomic_t must_stop;

static void on_signal(int signal_no)
{
    (void)signal_no;
    must_stop = 1;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    action.sa_handler = SIG_IGN; /* a reader that left is an error of its write, not our end */
    (void)sigaction(SIGPIPE, &action, NULL);
}

/* ---- the log ---- */

typedef struct server_log {
    reha_mutex *lock;
    FILE *file; /* stderr, or owned */
    char *path; /* owned; NULL for stderr */
} server_log;

static FILE *open_log(const char *path)
{
    FILE *file = fopen(path, "a");
    if (file != NULL) {
        (void)fchmod(fileno(file), S_IRUSR | S_IWUSR);
    }
    return file;
}

/* One former log is kept: the disk of a server that nobody looks at does not fill. */
static void rotate(server_log *log)
{
    if (log->path == NULL || ftell(log->file) < LOG_BYTES_MAX) {
        return;
    }
    char former[4096];
    (void)snprintf(former, sizeof former, "%s.1", log->path);
    (void)rename(log->path, former);
    FILE *fresh = open_log(log->path);
    if (fresh != NULL) {
        (void)fclose(log->file);
        log->file = fresh;
    }
}

static void write_log(void *context, reha_log_level level, const char *event, const char *fields)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    server_log *log = context;
    char stamp[REHA_TIMESTAMP_BYTES];
    reha_clock_timestamp(stamp);
    reha_mutex_lock(log->lock);
    rotate(log);
    (void)fprintf(log->file, "%s level=%s event=%s %s\n", stamp, names[level], event, fields);
    (void)fflush(log->file);
    reha_mutex_unlock(log->lock);
}

static reha_status begin_log(const serve_arguments *given, const char *home, server_log *log, reha_error *err)
{
    REHA_TRY(reha_mutex_new(&log->lock, err));
    log->file = stderr;
    if (given->log == NULL || given->log[0] != '-' || given->log[1] != '\0') {
        log->path = given->log != NULL ? reha_strdup(given->log) : reha_path_join(home, "server.log");
        if (log->path == NULL) {
            return reha_fail(err, REHA_E_NOMEM, "out of memory while opening the log");
        }
        FILE *file = open_log(log->path);
        if (file == NULL) {
            return reha_fail(err, REHA_E_IO, "%s: the log cannot be written: choose another file with --log",
                             log->path);
        }
        log->file = file;
    }
    reha_log_set_sink(write_log, log, REHA_LOG_INFO);
    return REHA_OK;
}

static void end_log(server_log *log)
{
    reha_log_set_sink(NULL, NULL, REHA_LOG_ERROR);
    if (log->file != NULL && log->file != stderr) {
        (void)fclose(log->file);
    }
    reha_mutex_free(log->lock);
    reha_free(log->path);
}

/* ---- the clinic ---- */

/* Once the server can be reached: a start that failed must not leave accounts behind, by which the next one
 * would take the home for filled. *is_new: there is something to fill. */
static reha_status begin_demo(reha_clinic *clinic, bool *is_new, reha_error *err)
{
    json_t *state = NULL;
    REHA_TRY(reha_clinic_state(clinic, &state, err));
    *is_new = json_is_true(json_object_get(state, "setup_needed"));
    json_decref(state);
    if (*is_new) {
        REHA_TRY(reha_demo_accounts(clinic, err));
    }
    (void)printf("Demonstration: sign in as physio, reviewer, researcher, reader or admin; password: %s\n",
                 REHA_DEMO_PASSWORD);
    return REHA_OK;
}

static bool goes_on(void *context)
{
    (void)reha_server_tick(context);
    return must_stop == 0;
}

static reha_status fill_demo(reha_clinic *clinic, reha_server *server, reha_error *err)
{
    (void)printf("Generated patients arrive now: the worklist shows it.\n");
    (void)fflush(stdout);
    const reha_status status = reha_demo_fill(clinic, goes_on, server, err);
    return status == REHA_E_CANCELLED ? REHA_OK : status;
}

static void wait_for_end(reha_server *server)
{
    const struct timespec second = {.tv_sec = 1};
    while (must_stop == 0) {
        (void)nanosleep(&second, NULL); /* a signal ends it early */
        (void)reha_server_tick(server);
    }
}

static reha_status open_node(const serve_arguments *given, reha_clinic *clinic, reha_node **out,
                             reha_error *err)
{
    const reha_node_options how = {.address = given->dicom_address,
                                   .port = given->dicom_port,
                                   .ae_title = given->dicom_title,
                                   .tls = given->dicom_tls.key != NULL ? &given->dicom_tls : NULL,
                                   .peers_file = given->dicom_peers};
    if (given->dicom_port == NO_PORT) {
        return REHA_OK;
    }
    REHA_TRY(reha_node_open(clinic, &how, out, err));
    (void)printf("DICOM node %s at port %d%s\n", reha_node_title(*out), reha_node_port(*out),
                 how.tls != NULL ? " with TLS" : "");
    return REHA_OK;
}

static reha_status open_archive(const serve_arguments *given, reha_clinic *clinic, reha_archive **out,
                                reha_error *err)
{
    reha_archive_options how = {.own_title = given->dicom_title,
                                .tls = given->archive_tls.key != NULL ? &given->archive_tls : NULL};
    if (given->archive == NULL) {
        return REHA_OK;
    }
    REHA_TRY(reha_remote_parse(given->archive, &how.remote, err));
    REHA_TRY(reha_archive_open(clinic, &how, out, err));
    (void)printf("Signed reports go to %s at %s port %d%s\n", how.remote.ae_title, how.remote.host,
                 how.remote.port, how.tls != NULL ? " with TLS" : "");
    return REHA_OK;
}

static reha_status serve(const serve_arguments *given, const char *home, reha_error *err)
{
    reha_status status = REHA_OK;
    reha_clinic *clinic = NULL;
    reha_web *web = NULL;
    reha_server *server = NULL;
    reha_node *node = NULL;
    reha_archive *archive = NULL;
    char *backups = NULL;
    bool must_fill = false;
    const reha_server_options where = {
        .address = given->address, .port = given->port, .certificate = given->certificate, .key = given->key};
    const reha_clinic_options what = {.home = home,
                                      .models_folder = given->models,
                                      .inbox = given->inbox,
                                      .inbox_task = given->inbox_task,
                                      .with_workers = true};
    if (given->demo && (where.certificate != NULL || where.address != NULL)) {
        return reha_fail(err, REHA_E_ARG,
                         "--demo has a password that everybody knows: it is served on 127.0.0.1 only");
    }
    REHA_CHECK(reha_clinic_open(&what, &clinic, err));
    char clock[APP_CLOCK_TEXT_BYTES];
    if (app_clock_is_behind(clinic,
                            clock)) { /* told, not refused: a clinic without its records helps nobody */
        (void)fprintf(stderr, "rehascope: caution: %s\n", clock);
    }
    backups = given->backups != NULL ? reha_strdup(given->backups) : reha_path_join(home, "backups");
    const reha_web_options web_options = {
        .clinic = clinic, .loopback_only = given->certificate == NULL, .backup_folder = backups};
    catch_signals(); /* until here a signal just ends us: nothing is lost by that */
    REHA_CHECK(open_archive(given, clinic, &archive, err)); /* before anybody can sign */
    REHA_CHECK(reha_web_new(&web_options, &web, err));
    REHA_CHECK(reha_server_open(web, &where, &server, err));
    REHA_CHECK(open_node(given, clinic, &node, err));
    if (given->demo) {
        REHA_CHECK(begin_demo(clinic, &must_fill, err));
    }
    reha_log(REHA_LOG_INFO, "server.start", "version=%s port=%d", REHA_VERSION, reha_server_port(server));
    (void)printf("Rehascope is at %s (Ctrl-C stops it)\nrecords: %s\n", reha_server_address(server), home);
    if (!reha_assets_complete()) {
        (void)printf(
            "The pages were left out of this build (npm was absent); the interface under /api/v1 works.\n");
    }
    (void)fflush(stdout);
    if (must_fill) {
        REHA_CHECK(fill_demo(clinic, server, err));
    }
    wait_for_end(server);
    reha_log(REHA_LOG_INFO, "server.stop", "version=%s", REHA_VERSION);
done:
    reha_node_close(node);
    reha_server_close(server);
    reha_web_free(web);
    reha_archive_close(archive);
    reha_clinic_close(clinic);
    reha_free(backups);
    return status;
}

static int run_serve(const app_command *command, int argc, char **argv)
{
    serve_arguments given = {.port = DEFAULT_PORT, .dicom_port = NO_PORT};
    const char *words[1];
    int word_count = 0;
    reha_error err = REHA_ERROR_INIT;
    char *home = NULL;
    server_log log = {0};
    const int code = app_parse(command, argc, argv, &given, words, &word_count);
    if (code >= 0) {
        return code;
    }
    if ((given.certificate == NULL) != (given.key == NULL)) {
        return app_wrong_use(command, "--tls-cert and --tls-key are needed together");
    }
    const bool has_title = given.dicom_title != NULL && given.archive == NULL; /* both bear it */
    if (given.dicom_port == NO_PORT && (given.dicom_address != NULL || has_title ||
                                        given.dicom_peers != NULL || given.dicom_tls.key != NULL)) {
        return app_wrong_use(command, "a DICOM node needs its --dicom-port");
    }
    const bool is_node_partial = reha_tls_files_are_partial(&given.dicom_tls);
    if (is_node_partial || reha_tls_files_are_partial(&given.archive_tls)) {
        return app_wrong_use(command,
                             "certificate, key and authority of DICOM over TLS (--%s-cert, -key, -ca) are "
                             "needed together",
                             is_node_partial ? "dicom-tls" : "dicom-send-tls");
    }
    if (given.archive == NULL && given.archive_tls.key != NULL) {
        return app_wrong_use(command, "TLS to which archive? Give --dicom-send-to AE@HOST:PORT");
    }
    (void)umask(S_IRWXG | S_IRWXO); /* records are for this user only */
    reha_status status = app_home(given.home, &home, &err);
    if (status == REHA_OK) {
        status = reha_folder_make(home, &err);
    }
    if (status == REHA_OK) {
        status = begin_log(&given, home, &log, &err);
    }
    if (status == REHA_OK) {
        status = serve(&given, home, &err);
    }
    end_log(&log);
    reha_free(home);
    return status == REHA_OK ? EXIT_DONE : app_fail(status, &err);
}

const app_command app_serve = {.name = "serve",
                               .arguments = "",
                               .summary = "the clinic in a browser: records, review, sign-off",
                               .example = "rehascope serve --home clinic --port 8080",
                               .options = serve_options,
                               .words_min = 0,
                               .words_max = 0,
                               .run = run_serve};

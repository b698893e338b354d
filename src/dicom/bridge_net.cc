#include "dicom/bridge_net_priv.h"

#include "dcmtk/config/osconfig.h"

#include "dcmtk/dcmdata/dcistrmb.h"
#include "dcmtk/dcmdata/dctk.h"
#include "dcmtk/dcmnet/assoc.h"
#include "dcmtk/dcmnet/dimse.h"
#include "dcmtk/dcmnet/diutil.h"
#include "dcmtk/dcmnet/dul.h"
#include "dcmtk/dcmtls/tlslayer.h"
#include "dcmtk/oflog/oflog.h"

#include <cmath>
#include <csignal>
#include <cstring>
#include <ctime>
#include <memory>
#include <mutex>
#include <new>
#include <sys/time.h>
#include <unistd.h>
#include <vector>

// Who calls hears of the connection that DCMTK made before anything is read from it.
struct connection_hook {
    const reha_call *call = nullptr;
    reha_status status = REHA_OK;
    reha_error fault = REHA_ERROR_INIT;

    bool goes_on()
    {
        if (call != nullptr && call->connected != nullptr) {
            status = call->connected(call->context, &fault);
        }
        return status == REHA_OK;
    }
};

template <typename Base> struct hooked_layer : Base {
    connection_hook *hook = nullptr;

    using Base::Base;
    DcmTransportConnection *createConnection(DcmNativeSocketType socket, OFBool is_secure) override
    {
        return hook == nullptr || hook->goes_on() ? Base::createConnection(socket, is_secure) : nullptr;
    }
};

struct reha_tls {
    hooked_layer<DcmTLSTransportLayer> layer;

    explicit reha_tls(bool is_called) : layer(is_called ? NET_ACCEPTOR : NET_REQUESTOR, nullptr, OFTrue)
    {
    }
};

struct reha_bridge_caller {
    T_ASC_Network *network = nullptr;
    T_ASC_Association *association = nullptr; // its parameters are its own
    connection_hook hook;
    hooked_layer<DcmTransportLayer> layer; // in clear
    bool is_open = false;
    int answer_s = 0;
};

namespace
{

const size_t COMMENT_BYTES = 64; // of Error Comment (0000,0902), an LO

double now_s()
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// The process ends unless the peer has done what it is doing by then; 0: it may take its time.
void set_alarm(double seconds)
{
    struct itimerval timer;
    memset(&timer, 0, sizeof timer);
    if (seconds > 0.0) {
        timer.it_value.tv_sec = static_cast<time_t>(seconds);
        timer.it_value.tv_usec = static_cast<suseconds_t>(1e6 * (seconds - std::floor(seconds)));
    }
    setitimer(ITIMER_REAL, &timer, nullptr);
}

void be_quiet()
{
    OFLog::configure(OFLogger::OFF_LOG_LEVEL);
    dcmDisableGethostbyaddr.set(OFTrue);
}

reha_status prepare(reha_error *err)
{
    static std::once_flag once;
    std::call_once(once, be_quiet);
    if (!dcmDataDict.isDictionaryLoaded()) {
        return reha_fail(err, REHA_E_NOT_FOUND,
                         "DCMTK's data dictionary is missing: install its package (libdcmtk) again");
    }
    return REHA_OK;
}

reha_status load_tls(DcmTLSTransportLayer &layer, const reha_tls_files &files, reha_error *err)
{
    layer.setPrivateKeyPasswd(""); // else OpenSSL would ask for one on the terminal
    if (layer.setPrivateKeyFile(files.key, DCF_Filetype_PEM).bad()) {
        return reha_fail(err, REHA_E_ARG, "%s: is no private key in PEM, or needs a password", files.key);
    }
    if (layer.setCertificateFile(files.certificate, DCF_Filetype_PEM).bad()) {
        return reha_fail(err, REHA_E_ARG, "%s: is no certificate in PEM", files.certificate);
    }
    if (!layer.checkPrivateKeyMatchesCertificate()) {
        return reha_fail(err, REHA_E_ARG, "%s: is not the key of that certificate", files.key);
    }
    if (layer.addTrustedCertificateFile(files.authority, DCF_Filetype_PEM).bad()) {
        return reha_fail(err, REHA_E_ARG, "%s: is no certificate of an authority in PEM", files.authority);
    }
    if (layer.setTLSProfile(TSP_Profile_BCP195_ND).bad() || layer.activateCipherSuites().bad()) {
        return reha_fail(err, REHA_E_INTERNAL, "OpenSSL refuses DICOM's profile of TLS");
    }
    layer.setCertificateVerification(DCV_requireCertificate);
    return REHA_OK;
}

// --- objects that come, to one who is called and to one who asks for them

class Taker
{
  protected:
    Taker(const reha_association_limits &limits, const reha_provider &provider)
        : limits_(limits), provider_(provider)
    {
    }

    static int seconds(double s)
    {
        return static_cast<int>(std::ceil(s));
    }

    bool read_names(T_ASC_PresentationContextID context, const T_DIMSE_C_StoreRQ &request, reha_incoming *out)
    {
        T_ASC_PresentationContext agreed;
        memset(out, 0, sizeof *out);
        if (ASC_findAcceptedPresentationContext(association_->params, context, &agreed).bad() ||
            strcmp(agreed.abstractSyntax, request.AffectedSOPClassUID) != 0) {
            return false; // not what this context was agreed on for
        }
        snprintf(out->sop_class_uid, sizeof out->sop_class_uid, "%s", request.AffectedSOPClassUID);
        snprintf(out->sop_instance_uid, sizeof out->sop_instance_uid, "%s", request.AffectedSOPInstanceUID);
        snprintf(out->syntax_uid, sizeof out->syntax_uid, "%s", agreed.acceptedTransferSyntax);
        return true;
    }

    // The next fragment of the data set: from the PDU that was read last, else from the next one.
    OFCondition next_fragment(DUL_PDV *pdv)
    {
        OFCondition got = DUL_NextPDV(&association_->DULassociation, pdv);
        if (got.good()) {
            return got;
        }
        got = DUL_ReadPDVs(&association_->DULassociation, nullptr, DUL_NOBLOCK, seconds(limits_.idle_s));
        if (got == DUL_PDATAPDUARRIVED) {
            return DUL_NextPDV(&association_->DULassociation, pdv);
        }
        return got.good() ? OFCondition(DUL_UNEXPECTEDPDU) : got;
    }

    // Everything up to the last fragment, also after a fault: the answer comes only behind it.
    OFCondition take_data(T_ASC_PresentationContextID context, bool *is_begun, reha_status *status,
                          reha_error *fault)
    {
        double waited_s = 0.0;
        size_t bytes = 0;
        for (;;) {
            DUL_PDV pdv;
            const double from_s = now_s();
            const double allowed_s = limits_.grace_s + static_cast<double>(bytes) / limits_.rate_bytes_per_s;
            set_alarm(std::fmax(allowed_s - waited_s, 0.001));
            const OFCondition got = next_fragment(&pdv);
            waited_s += now_s() - from_s;
            set_alarm(0.0); // our own part takes what it takes
            if (got.bad()) {
                return got;
            }
            if (pdv.pdvType != DUL_DATASETPDV || pdv.presentationContextID != context) {
                return DIMSE_UNEXPECTEDPDVTYPE;
            }
            bytes += pdv.fragmentLength;
            if (*status == REHA_OK && bytes > limits_.object_bytes_max) {
                *status = reha_fail(fault, REHA_E_LIMIT, "the object is larger than %zu MiB",
                                    limits_.object_bytes_max >> 20);
            }
            if (*status == REHA_OK) {
                *status = provider_.add(provider_.context, pdv.data, pdv.fragmentLength, fault);
            }
            if (*status != REHA_OK && *is_begun) {
                provider_.drop(provider_.context);
                *is_begun = false;
            }
            if (pdv.lastPDV) {
                return EC_Normal;
            }
        }
    }

    OFCondition serve_store(T_ASC_PresentationContextID context, const T_DIMSE_C_StoreRQ &request)
    {
        reha_error fault = REHA_ERROR_INIT;
        reha_incoming object;
        if (!read_names(context, request, &object) || request.DataSetType == DIMSE_DATASET_NULL) {
            return DIMSE_BADDATA;
        }
        reha_status status = provider_.begin(provider_.context, &object, &fault);
        bool is_begun = status == REHA_OK;
        const OFCondition got = take_data(context, &is_begun, &status, &fault);
        if (got.bad()) {
            if (is_begun) {
                provider_.drop(provider_.context);
            }
            return got;
        }
        if (status == REHA_OK) {
            status = provider_.end(provider_.context, &fault);
        }
        set_alarm(limits_.grace_s);
        return answer(context, request, status, fault);
    }

    static DIC_US code_of(reha_status status)
    {
        switch (status) {
        case REHA_OK:
            return STATUS_STORE_Success;
        case REHA_E_LIMIT:
        case REHA_E_FULL:
        case REHA_E_NOMEM:
            return STATUS_STORE_Refused_OutOfResources;
        case REHA_E_IO:
        case REHA_E_BUSY:
        case REHA_E_CANCELLED:
        case REHA_E_INTERNAL:
            return 0x0110; // processing failure: ours, may be tried again
        default:
            return STATUS_STORE_Error_CannotUnderstand;
        }
    }

    OFCondition answer(T_ASC_PresentationContextID context, const T_DIMSE_C_StoreRQ &request,
                       reha_status status, const reha_error &fault)
    {
        T_DIMSE_C_StoreRSP response;
        DcmDataset detail;
        memset(&response, 0, sizeof response);
        response.MessageIDBeingRespondedTo = request.MessageID;
        response.DimseStatus = code_of(status);
        response.DataSetType = DIMSE_DATASET_NULL;
        snprintf(response.AffectedSOPClassUID, sizeof response.AffectedSOPClassUID, "%s",
                 request.AffectedSOPClassUID);
        snprintf(response.AffectedSOPInstanceUID, sizeof response.AffectedSOPInstanceUID, "%s",
                 request.AffectedSOPInstanceUID);
        response.opts = O_STORE_AFFECTEDSOPCLASSUID | O_STORE_AFFECTEDSOPINSTANCEUID;
        if (status != REHA_OK) {
            OFString text(fault.text, strnlen(fault.text, COMMENT_BYTES));
            for (size_t i = 0; i < text.length(); i++) {
                if (text[i] < ' ' || text[i] > '~' || text[i] == '\\') {
                    text[i] = '?';
                }
            }
            detail.putAndInsertOFStringArray(DCM_ErrorComment, text);
        }
        return DIMSE_sendStoreResponse(association_, context, &request, &response,
                                       status != REHA_OK ? &detail : nullptr);
    }

    const reha_association_limits &limits_;
    const reha_provider &provider_;
    T_ASC_Association *association_ = nullptr;
};

// --- the one who is called

class Acceptor : private Taker
{
  public:
    Acceptor(reha_tls *tls, const reha_bridge_offer &offer, const reha_association_limits &limits,
             const reha_provider &provider)
        : Taker(limits, provider), tls_(tls), offer_(offer)
    {
    }
    Acceptor(const Acceptor &) = delete;
    Acceptor &operator=(const Acceptor &) = delete;
    ~Acceptor()
    {
        set_alarm(0.0);
        if (association_ != nullptr) {
            ASC_dropSCPAssociation(association_, 0);
            ASC_destroyAssociation(&association_);
        }
        if (network_ != nullptr) {
            ASC_dropNetwork(&network_);
        }
    }

    reha_association_end serve(int socket)
    {
        dcmExternalSocketHandle.set(socket);
        dcmAssociatePDUSizeLimit.set(limits_.request_bytes_max);
        if (ASC_initializeNetwork(NET_ACCEPTOR, 0, seconds(limits_.idle_s), &network_).bad()) {
            return REHA_ASSOCIATION_LOST;
        }
        if (tls_ != nullptr && ASC_setTransportLayer(network_, &tls_->layer, 0).bad()) {
            return REHA_ASSOCIATION_LOST;
        }
        set_alarm(limits_.request_s);
        const OFCondition got = ASC_receiveAssociation(
            network_, &association_, static_cast<long>(limits_.pdu_bytes), nullptr, nullptr,
            tls_ != nullptr ? OFTrue : OFFalse, DUL_NOBLOCK, seconds(limits_.request_s));
        if (got.bad()) {
            return end_of(got);
        }
        if (!negotiate()) {
            return REHA_ASSOCIATION_REJECTED;
        }
        for (;;) {
            const OFCondition next = serve_message();
            if (next == DUL_PEERREQUESTEDRELEASE) {
                set_alarm(limits_.request_s);
                ASC_acknowledgeRelease(association_);
                return REHA_ASSOCIATION_RELEASED;
            }
            if (next.bad()) {
                const reha_association_end how = end_of(next);
                if (how == REHA_ASSOCIATION_BROKEN || next == DIMSE_NODATAAVAILABLE) {
                    set_alarm(limits_.request_s);
                    ASC_abortAssociation(association_);
                }
                return how;
            }
        }
    }

  private:
    static reha_association_end end_of(const OFCondition &what)
    {
        if (what == DUL_PEERABORTEDASSOCIATION) {
            return REHA_ASSOCIATION_ABORTED;
        }
        const bool is_gone = what == DUL_NETWORKCLOSED || what == DUL_READTIMEOUT ||
                             what == DIMSE_NODATAAVAILABLE || what == DUL_NOASSOCIATIONREQUEST ||
                             what == DUL_PEERREQUESTEDRELEASE;
        return is_gone ? REHA_ASSOCIATION_LOST : REHA_ASSOCIATION_BROKEN;
    }

    void reject(T_ASC_RejectParametersResult result, T_ASC_RejectParametersSource source,
                T_ASC_RejectParametersReason reason)
    {
        const T_ASC_RejectParameters why = {result, source, reason};
        ASC_rejectAssociation(association_, &why);
    }

    bool negotiate()
    {
        char calling[REHA_AE_BYTES + 1] = "";
        char called[REHA_AE_BYTES + 1] = "";
        char name[DUL_LEN_NAME + 1] = "";
        T_ASC_Parameters *asked = association_->params;
        if (ASC_getAPTitles(asked, calling, sizeof calling, called, sizeof called, nullptr, 0).bad() ||
            ASC_getApplicationContextName(asked, name, sizeof name).bad() ||
            strcmp(name, UID_StandardApplicationContext) != 0) {
            reject(ASC_RESULT_REJECTEDPERMANENT, ASC_SOURCE_SERVICEUSER,
                   ASC_REASON_SU_APPCONTEXTNAMENOTSUPPORTED);
            return false;
        }
        switch (provider_.ask(provider_.context, calling, called)) {
        case REHA_ASSOCIATION_UNKNOWN_CALLER:
            reject(ASC_RESULT_REJECTEDPERMANENT, ASC_SOURCE_SERVICEUSER,
                   ASC_REASON_SU_CALLINGAETITLENOTRECOGNIZED);
            return false;
        case REHA_ASSOCIATION_WRONG_NAME:
            reject(ASC_RESULT_REJECTEDPERMANENT, ASC_SOURCE_SERVICEUSER,
                   ASC_REASON_SU_CALLEDAETITLENOTRECOGNIZED);
            return false;
        case REHA_ASSOCIATION_BUSY:
            reject(ASC_RESULT_REJECTEDTRANSIENT, ASC_SOURCE_SERVICEPROVIDER_PRESENTATION_RELATED,
                   ASC_REASON_SP_PRES_LOCALLIMITEXCEEDED);
            return false;
        case REHA_ASSOCIATION_ACCEPT:
            break;
        }
        return accept_contexts(asked) && ASC_acknowledgeAssociation(association_).good();
    }

    // DCMTK takes arrays of mutable pointers to constant texts.
    bool accept_contexts(T_ASC_Parameters *asked)
    {
        std::vector<const char *> classes(offer_.classes, offer_.classes + offer_.class_count);
        std::vector<const char *> syntaxes(offer_.syntaxes, offer_.syntaxes + offer_.syntax_count);
        const char *verification[] = {UID_VerificationSOPClass};
        const char *plain[] = {UID_LittleEndianExplicitTransferSyntax,
                               UID_LittleEndianImplicitTransferSyntax};
        return ASC_acceptContextsWithPreferredTransferSyntaxes(asked, verification, 1, plain, 2).good() &&
               ASC_acceptContextsWithPreferredTransferSyntaxes(
                   asked, classes.data(), static_cast<int>(classes.size()), syntaxes.data(),
                   static_cast<int>(syntaxes.size()))
                   .good();
    }

    OFCondition serve_message()
    {
        T_ASC_PresentationContextID context = 0;
        T_DIMSE_Message message;
        DcmDataset *detail = nullptr;
        // DCMTK would wait for each fragment anew: the alarm is for the whole command.
        set_alarm(limits_.idle_s + limits_.grace_s);
        const OFCondition got = DIMSE_receiveCommand(association_, DIMSE_NONBLOCKING, seconds(limits_.idle_s),
                                                     &context, &message, &detail);
        delete detail;
        if (got.bad()) {
            return got;
        }
        if (message.CommandField == DIMSE_C_ECHO_RQ) {
            return DIMSE_sendEchoResponse(association_, context, &message.msg.CEchoRQ, STATUS_Success,
                                          nullptr);
        }
        if (message.CommandField == DIMSE_C_STORE_RQ) {
            return serve_store(context, message.msg.CStoreRQ);
        }
        return DIMSE_BADCOMMANDTYPE;
    }

    reha_tls *tls_;
    const reha_bridge_offer &offer_;
    T_ASC_Network *network_ = nullptr;
};

// --- the one who calls

const char *reason_text(const T_ASC_RejectParameters &why)
{
    switch (why.reason) {
    case ASC_REASON_SU_CALLINGAETITLENOTRECOGNIZED:
        return "it does not know our AE title: enter it there, or give another one with --from";
    case ASC_REASON_SU_CALLEDAETITLENOTRECOGNIZED:
        return "it has another AE title";
    case ASC_REASON_SU_APPCONTEXTNAMENOTSUPPORTED:
        return "it does not speak this protocol";
    case ASC_REASON_SP_ACSE_PROTOCOLVERSIONNOTSUPPORTED:
        return "it does not speak this version of the protocol";
    case ASC_REASON_SP_PRES_TEMPORARYCONGESTION:
    case ASC_REASON_SP_PRES_LOCALLIMITEXCEEDED:
        return "it is busy: try again later";
    default:
        return "it gives no reason";
    }
}

reha_status explain_call(const OFCondition &what, T_ASC_Parameters *params, const reha_remote &remote,
                         reha_error *err)
{
    if (what == DUL_ASSOCIATIONREJECTED) {
        T_ASC_RejectParameters why;
        ASC_getRejectParameters(params, &why);
        const bool is_passing = why.result == ASC_RESULT_REJECTEDTRANSIENT;
        return reha_fail(err, is_passing ? REHA_E_BUSY : REHA_E_DENIED,
                         "%s at %s port %d rejects us (%s): %s", remote.ae_title, remote.host, remote.port,
                         is_passing ? "for now" : "for good", reason_text(why));
    }
    if (what == DUL_REQUESTASSOCIATIONFAILED || what.code() == DULC_TCPINITERROR) {
        return reha_fail(err, REHA_E_IO,
                         "%s port %d cannot be reached: is it switched on, and is the port right?",
                         remote.host, remote.port);
    }
    if (what.module() == OFM_dcmtls) {
        return reha_fail(err, REHA_E_DENIED,
                         "%s port %d: no TLS with it (%.100s): do certificates and authorities fit?",
                         remote.host, remote.port, what.text());
    }
    if (what == DUL_READTIMEOUT || what == DUL_NETWORKCLOSED || what == DUL_PEERABORTEDASSOCIATION) {
        return reha_fail(err, REHA_E_IO,
                         "%s port %d took the call but gave no answer: is it a DICOM node, does it want TLS?",
                         remote.host, remote.port);
    }
    return reha_fail(err, REHA_E_IO, "%s port %d: no association: %.120s", remote.host, remote.port,
                     what.text());
}

int whole_seconds(double given_s, double default_s)
{
    return static_cast<int>(std::ceil(given_s > 0.0 ? given_s : default_s));
}

OFCondition propose_question(T_ASC_Parameters *params, const reha_bridge_proposal &proposal)
{
    const char *implicit[] = {UID_LittleEndianImplicitTransferSyntax};
    int id = 1;
    OFCondition done = ASC_addPresentationContext(params, static_cast<T_ASC_PresentationContextID>(id),
                                                  proposal.question_class, implicit, 1);
    if (proposal.offer == nullptr) {
        return done;
    }
    std::vector<const char *> syntaxes(proposal.offer->syntaxes,
                                       proposal.offer->syntaxes + proposal.offer->syntax_count);
    for (size_t i = 0; i < proposal.offer->class_count && done.good(); i++) {
        id += 2;
        done = ASC_addPresentationContext(params, static_cast<T_ASC_PresentationContextID>(id),
                                          proposal.offer->classes[i], syntaxes.data(),
                                          static_cast<int>(syntaxes.size()), ASC_SC_ROLE_SCP);
    }
    return done;
}

OFCondition propose(T_ASC_Parameters *params, const reha_bridge_proposal &proposal)
{
    const char *plain[] = {UID_LittleEndianExplicitTransferSyntax, UID_LittleEndianImplicitTransferSyntax};
    const char *implicit[] = {UID_LittleEndianImplicitTransferSyntax};
    int id = 1;
    if (proposal.question_class != nullptr) {
        return propose_question(params, proposal);
    }
    if (proposal.kind_count == 0) {
        return ASC_addPresentationContext(params, static_cast<T_ASC_PresentationContextID>(id),
                                          UID_VerificationSOPClass, plain, 2);
    }
    OFCondition done = EC_Normal;
    for (size_t i = 0; i < proposal.kind_count && done.good(); i++) {
        const reha_bridge_kind &kind = proposal.kinds[i];
        const char *own[] = {kind.syntax_uid};
        done = ASC_addPresentationContext(params, static_cast<T_ASC_PresentationContextID>(id),
                                          kind.sop_class_uid, own, 1);
        id += 2;
        if (done.good() && kind.is_plain) {
            done = ASC_addPresentationContext(params, static_cast<T_ASC_PresentationContextID>(id),
                                              kind.sop_class_uid, implicit, 1);
            id += 2;
        }
    }
    return done;
}

reha_status call_remote(const reha_call &call, const reha_bridge_proposal &proposal,
                        reha_bridge_caller &caller, reha_error *err)
{
    char address[REHA_HOST_BYTES + 16];
    T_ASC_Parameters *params = nullptr;
    snprintf(address, sizeof address, "%s:%d", call.remote->host, call.remote->port);
    caller.answer_s = whole_seconds(call.answer_s, 60.0);
    dcmConnectionTimeout.set(whole_seconds(call.connect_s, 10.0));
    OFCondition done = ASC_initializeNetwork(NET_REQUESTOR, 0, caller.answer_s, &caller.network);
    if (done.good()) {
        done = ASC_createAssociationParameters(&params, ASC_DEFAULTMAXPDU);
    }
    if (done.bad()) {
        return reha_fail(err, REHA_E_INTERNAL, "no call can be made: %.120s", done.text());
    }
    ASC_setAPTitles(params, call.own_title, call.remote->ae_title, nullptr);
    caller.hook.call = &call;
    if (call.tls != nullptr) {
        call.tls->layer.hook = &caller.hook;
        ASC_setTransportLayer(caller.network, &call.tls->layer, 0);
    } else {
        caller.layer.hook = &caller.hook;
        ASC_setTransportLayer(caller.network, &caller.layer, 0);
    }
    ASC_setTransportLayerType(params, call.tls != nullptr ? OFTrue : OFFalse);
    ASC_setPresentationAddresses(params, "localhost", address); // ours is not sent
    done = propose(params, proposal);
    if (done.good()) {
        done = ASC_requestAssociation(caller.network, params, &caller.association);
    }
    if (done.bad()) {
        const reha_status status = caller.hook.status != REHA_OK
                                       ? reha_fail(err, caller.hook.status, "%s", caller.hook.fault.text)
                                       : explain_call(done, params, *call.remote, err);
        if (caller.association == nullptr) {
            ASC_destroyAssociationParameters(&params);
        }
        return status;
    }
    caller.is_open = true;
    if (proposal.question_class != nullptr &&
        ASC_findAcceptedPresentationContextID(caller.association, proposal.question_class) == 0) {
        return reha_fail(err, REHA_E_UNSUPPORTED, "%s does not offer that: %.60s", call.remote->ae_title,
                         dcmFindNameOfUID(proposal.question_class, proposal.question_class));
    }
    if (ASC_countAcceptedPresentationContexts(params) == 0 && proposal.kind_count == 0) {
        return reha_fail(err, REHA_E_UNSUPPORTED, "%s does not offer verification (C-ECHO)",
                         call.remote->ae_title);
    }
    return REHA_OK;
}

// DCMTK's search gives any context of the class where the one of the syntax was not accepted.
T_ASC_PresentationContextID context_for(const reha_bridge_caller &caller, const reha_bridge_kind &kind)
{
    const char *wanted[] = {kind.syntax_uid, UID_LittleEndianImplicitTransferSyntax};
    for (int i = 0; i < (kind.is_plain ? 2 : 1); i++) {
        T_ASC_PresentationContext found;
        const T_ASC_PresentationContextID id =
            ASC_findAcceptedPresentationContextID(caller.association, kind.sop_class_uid, wanted[i]);
        if (id != 0 && ASC_findAcceptedPresentationContext(caller.association->params, id, &found).good() &&
            strcmp(found.acceptedTransferSyntax, wanted[i]) == 0) {
            return id;
        }
    }
    return 0;
}

reha_status explain_store(DIC_US code, DcmDataset *detail, reha_error *err)
{
    OFString comment;
    if (detail != nullptr) {
        detail->findAndGetOFStringArray(DCM_ErrorComment, comment);
    }
    const char *what =
        (code & 0xff00) == STATUS_STORE_Refused_OutOfResources ? "it is out of resources"
        : (code & 0xff00) == STATUS_STORE_Error_DataSetDoesNotMatchSOPClass
            ? "the data set does not match its SOP class"
        : (code & 0xf000) == STATUS_STORE_Error_CannotUnderstand ? "it cannot understand the object"
        : code == STATUS_STORE_Refused_SOPClassNotSupported      ? "it does not store this SOP class"
        : code == STATUS_STORE_Refused_NotAuthorized             ? "we are not authorised"
                                                                 : "it failed";
    return reha_fail(err, REHA_E_REFUSED, "refused with status %04XH: %s%s%.100s",
                     static_cast<unsigned>(code), what, comment.empty() ? "" : ": ", comment.c_str());
}

OFCondition read_file(const reha_outgoing &from, DcmFileFormat &out)
{
    if (from.path != nullptr) {
        return out.loadFile(from.path);
    }
    DcmInputBufferStream stream;
    stream.setBuffer(from.bytes, static_cast<offile_off_t>(from.count));
    stream.setEos();
    out.transferInit();
    const OFCondition done = out.read(stream);
    out.transferEnd();
    return done;
}

reha_status store_file(reha_bridge_caller &caller, const reha_outgoing &from, const reha_bridge_kind &kind,
                       const char *sop_instance_uid, bool *is_lost, reha_error *err)
{
    T_DIMSE_C_StoreRQ request;
    T_DIMSE_C_StoreRSP response;
    DcmFileFormat file;
    DcmDataset *detail = nullptr;
    const T_ASC_PresentationContextID context = context_for(caller, kind);
    if (context == 0) {
        return reha_fail(err, REHA_E_UNSUPPORTED,
                         "no presentation context: the other side does not store %.60s as %.60s",
                         dcmFindNameOfUID(kind.sop_class_uid, kind.sop_class_uid),
                         dcmFindNameOfUID(kind.syntax_uid, kind.syntax_uid));
    }
    if (read_file(from, file).bad()) {
        return reha_fail(err, REHA_E_FORMAT, "the file cannot be read as DICOM");
    }
    memset(&request, 0, sizeof request);
    memset(&response, 0, sizeof response);
    request.MessageID = caller.association->nextMsgID++;
    snprintf(request.AffectedSOPClassUID, sizeof request.AffectedSOPClassUID, "%s", kind.sop_class_uid);
    snprintf(request.AffectedSOPInstanceUID, sizeof request.AffectedSOPInstanceUID, "%s", sop_instance_uid);
    request.DataSetType = DIMSE_DATASET_PRESENT;
    request.Priority = DIMSE_PRIORITY_MEDIUM;
    const OFCondition done =
        DIMSE_storeUser(caller.association, context, &request, nullptr, file.getDataset(), nullptr, nullptr,
                        DIMSE_NONBLOCKING, caller.answer_s, &response, &detail);
    std::unique_ptr<DcmDataset> owner(detail);
    if (done.bad()) {
        *is_lost = true;
        caller.is_open = false;
        return reha_fail(err, REHA_E_IO, "the other side is gone or gives no answer: %.120s", done.text());
    }
    // Bxxx are warnings: it is stored, with a remark.
    const bool is_stored =
        response.DimseStatus == STATUS_Success || (response.DimseStatus & 0xf000) == 0xb000;
    return is_stored ? REHA_OK : explain_store(response.DimseStatus, detail, err);
}

// --- the one who asks

class Asker : private Taker
{
  public:
    Asker(reha_bridge_caller &caller, const reha_bridge_question &question,
          const reha_association_limits &limits, const reha_provider &provider)
        : Taker(limits, provider), caller_(caller), question_(question)
    {
        association_ = caller.association;
    }
    Asker(const Asker &) = delete;
    Asker &operator=(const Asker &) = delete;
    ~Asker()
    {
        set_alarm(0.0);
    }

    reha_status ask(reha_bridge_outcome *out, reha_error *err)
    {
        OFCondition done = send_question();
        while (done.good() && !is_over_) {
            done = hear(out);
        }
        if (done.good() && fault_.status == REHA_OK) {
            return REHA_OK;
        }
        caller_.is_open = false;
        ASC_abortAssociation(association_);
        return done.good() ? reha_fail(err, fault_.status, "%s", fault_.text) : explain(done, err);
    }

  private:
    template <typename Request> void fill(Request &request) const // of C-GET or C-FIND
    {
        request.MessageID = id_;
        request.DataSetType = DIMSE_DATASET_PRESENT;
        request.Priority = DIMSE_PRIORITY_MEDIUM;
        snprintf(request.AffectedSOPClassUID, sizeof request.AffectedSOPClassUID, "%s", question_.class_uid);
    }

    OFCondition send_question()
    {
        T_DIMSE_Message message;
        DcmDataset keys;
        const T_ASC_PresentationContextID context =
            ASC_findAcceptedPresentationContextID(association_, question_.class_uid);
        OFCondition done = EC_Normal;
        for (size_t i = 0; i < question_.key_count && done.good(); i++) {
            const reha_bridge_key &key = question_.keys[i];
            const DcmTag tag(static_cast<Uint16>(key.tag >> 16), static_cast<Uint16>(key.tag & 0xffff));
            done = keys.putAndInsertString(tag, key.value);
        }
        memset(&message, 0, sizeof message);
        id_ = association_->nextMsgID++;
        if (question_.is_get) {
            message.CommandField = DIMSE_C_GET_RQ;
            fill(message.msg.CGetRQ);
        } else {
            message.CommandField = DIMSE_C_FIND_RQ;
            fill(message.msg.CFindRQ);
        }
        set_alarm(limits_.idle_s + limits_.grace_s);
        return done.good() ? DIMSE_sendMessageUsingMemoryData(association_, context, &message, nullptr, &keys,
                                                              nullptr, nullptr)
                           : done;
    }

    OFCondition hear(reha_bridge_outcome *out)
    {
        T_ASC_PresentationContextID context = 0;
        T_DIMSE_Message message;
        DcmDataset *detail = nullptr;
        set_alarm(limits_.idle_s + limits_.grace_s);
        const OFCondition got = DIMSE_receiveCommand(association_, DIMSE_NONBLOCKING, seconds(limits_.idle_s),
                                                     &context, &message, &detail);
        std::unique_ptr<DcmDataset> owner(detail);
        if (got.bad()) {
            return got;
        }
        if (question_.is_get && message.CommandField == DIMSE_C_STORE_RQ) {
            return serve_store(context, message.msg.CStoreRQ);
        }
        if (question_.is_get && message.CommandField == DIMSE_C_GET_RSP) {
            return hear_progress(context, message.msg.CGetRSP, detail, out);
        }
        if (!question_.is_get && message.CommandField == DIMSE_C_FIND_RSP) {
            return hear_match(context, message.msg.CFindRSP, detail, out);
        }
        return DIMSE_BADCOMMANDTYPE;
    }

    static void keep(DIC_US code, DcmDataset *detail, reha_bridge_outcome *out)
    {
        OFString comment;
        if (detail != nullptr) {
            detail->findAndGetOFStringArray(DCM_ErrorComment, comment);
        }
        out->code = code;
        snprintf(out->comment, sizeof out->comment, "%s", comment.c_str());
    }

    OFCondition hear_progress(T_ASC_PresentationContextID context, const T_DIMSE_C_GetRSP &answer,
                              DcmDataset *detail, reha_bridge_outcome *out)
    {
        if (answer.MessageIDBeingRespondedTo != id_) {
            return DIMSE_BADDATA;
        }
        out->completed = answer.NumberOfCompletedSubOperations;
        out->failed = answer.NumberOfFailedSubOperations;
        out->warned = answer.NumberOfWarningSubOperations;
        keep(answer.DimseStatus, detail, out);
        is_over_ = !DICOM_PENDING_STATUS(answer.DimseStatus);
        if (answer.DataSetType == DIMSE_DATASET_NULL) {
            return EC_Normal;
        }
        bool is_begun = false; // the list of what failed: passed over
        reha_status ignored = REHA_E_CANCELLED;
        return take_data(context, &is_begun, &ignored, &fault_ignored_);
    }

    OFCondition hear_match(T_ASC_PresentationContextID context, const T_DIMSE_C_FindRSP &answer,
                           DcmDataset *detail, reha_bridge_outcome *out)
    {
        T_ASC_PresentationContext agreed;
        reha_incoming object;
        if (answer.MessageIDBeingRespondedTo != id_) {
            return DIMSE_BADDATA;
        }
        keep(answer.DimseStatus, detail, out);
        if (!DICOM_PENDING_STATUS(answer.DimseStatus)) {
            is_over_ = true;
            return answer.DataSetType == DIMSE_DATASET_NULL ? EC_Normal : DIMSE_BADDATA;
        }
        if (answer.DataSetType == DIMSE_DATASET_NULL ||
            ASC_findAcceptedPresentationContext(association_->params, context, &agreed).bad()) {
            return DIMSE_BADDATA;
        }
        memset(&object, 0, sizeof object);
        snprintf(object.sop_class_uid, sizeof object.sop_class_uid, "%s", question_.class_uid);
        snprintf(object.sop_instance_uid, sizeof object.sop_instance_uid, "%s", question_.instance_uid);
        snprintf(object.syntax_uid, sizeof object.syntax_uid, "%s", agreed.acceptedTransferSyntax);
        reha_status status = provider_.begin(provider_.context, &object, &fault_);
        bool is_begun = status == REHA_OK;
        const OFCondition got = take_data(context, &is_begun, &status, &fault_);
        if (got.good() && status == REHA_OK) {
            status = provider_.end(provider_.context, &fault_);
        }
        is_over_ = status != REHA_OK;
        return got;
    }

    reha_status explain(const OFCondition &what, reha_error *err)
    {
        if (what == DUL_PEERABORTEDASSOCIATION || what == DUL_NETWORKCLOSED ||
            what == DUL_PEERREQUESTEDRELEASE) {
            return reha_fail(err, REHA_E_IO, "the archive broke off before its answer was whole");
        }
        if (what == DUL_READTIMEOUT || what == DIMSE_NODATAAVAILABLE) {
            return reha_fail(err, REHA_E_IO, "the archive gave no answer for %d s", seconds(limits_.idle_s));
        }
        return reha_fail(err, REHA_E_FORMAT, "what the archive answers makes no sense: %.120s", what.text());
    }

    reha_bridge_caller &caller_;
    const reha_bridge_question &question_;
    DIC_US id_ = 0;
    bool is_over_ = false;
    reha_error fault_ = REHA_ERROR_INIT; // of ours, which ends the conversation
    reha_error fault_ignored_ = REHA_ERROR_INIT;
};

} // namespace

extern "C" reha_status reha_bridge_prepare(reha_error *err)
{
    try {
        return prepare(err);
    } catch (...) {
        return reha_fail(err, REHA_E_INTERNAL, "DCMTK cannot be made ready");
    }
}

extern "C" reha_status reha_bridge_tls(const reha_tls_files *files, bool is_called, reha_tls **out,
                                       reha_error *err)
{
    *out = nullptr;
    try {
        REHA_TRY(prepare(err));
        std::unique_ptr<reha_tls> tls(new reha_tls(is_called));
        REHA_TRY(load_tls(tls->layer, *files, err));
        *out = tls.release();
        return REHA_OK;
    } catch (...) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for TLS");
    }
}

extern "C" void reha_bridge_tls_close(reha_tls *tls)
{
    delete tls;
}

extern "C" reha_status reha_bridge_provide(int socket, reha_tls *tls, const reha_bridge_offer *offer,
                                           const reha_association_limits *limits,
                                           const reha_provider *provider, reha_association_end *end,
                                           reha_error *err)
{
    try {
        *end = REHA_ASSOCIATION_LOST;
        REHA_TRY(prepare(err));
        Acceptor acceptor(tls, *offer, *limits, *provider);
        *end = acceptor.serve(socket);
        return REHA_OK;
    } catch (const std::bad_alloc &) {
        *end = REHA_ASSOCIATION_BROKEN;
        return reha_fail(err, REHA_E_NOMEM, "out of memory for an association");
    } catch (...) {
        *end = REHA_ASSOCIATION_BROKEN;
        return reha_fail(err, REHA_E_INTERNAL, "an association ended in an exception");
    }
}

extern "C" reha_status reha_bridge_call(const reha_call *call, const reha_bridge_proposal *proposal,
                                        reha_bridge_caller **out, reha_error *err)
{
    reha_status status = REHA_E_INTERNAL;
    reha_bridge_caller *caller = nullptr;
    *out = nullptr;
    try {
        REHA_TRY(prepare(err));
        caller = new reha_bridge_caller;
        status = call_remote(*call, *proposal, *caller, err);
    } catch (const std::bad_alloc &) {
        status = reha_fail(err, REHA_E_NOMEM, "out of memory for a call");
    } catch (...) {
        status = reha_fail(err, REHA_E_INTERNAL, "a call ended in an exception");
    }
    if (status != REHA_OK) {
        reha_bridge_hang_up(caller);
        return status;
    }
    *out = caller;
    return REHA_OK;
}

extern "C" reha_status reha_bridge_echo(reha_bridge_caller *caller, reha_error *err)
{
    DIC_US code = 0;
    DcmDataset *detail = nullptr;
    try {
        const OFCondition done = DIMSE_echoUser(caller->association, caller->association->nextMsgID++,
                                                DIMSE_NONBLOCKING, caller->answer_s, &code, &detail);
        delete detail;
        if (done.bad()) {
            caller->is_open = false;
            return reha_fail(err, REHA_E_IO, "no answer to C-ECHO: %.120s", done.text());
        }
        return code == STATUS_Success
                   ? REHA_OK
                   : reha_fail(err, REHA_E_REFUSED, "C-ECHO was answered with status %04XH",
                               static_cast<unsigned>(code));
    } catch (...) {
        return reha_fail(err, REHA_E_INTERNAL, "C-ECHO ended in an exception");
    }
}

extern "C" reha_status reha_bridge_store(reha_bridge_caller *caller, const reha_outgoing *file,
                                         const reha_bridge_kind *kind, const char *sop_instance_uid,
                                         bool *is_lost, reha_error *err)
{
    *is_lost = false;
    try {
        return store_file(*caller, *file, *kind, sop_instance_uid, is_lost, err);
    } catch (const std::bad_alloc &) {
        *is_lost = true;
        return reha_fail(err, REHA_E_NOMEM, "out of memory for an object");
    } catch (...) {
        *is_lost = true;
        return reha_fail(err, REHA_E_INTERNAL, "sending ended in an exception");
    }
}

extern "C" reha_status reha_bridge_ask(reha_bridge_caller *caller, const reha_bridge_question *question,
                                       const reha_association_limits *limits, const reha_provider *provider,
                                       reha_bridge_outcome *out, reha_error *err)
{
    memset(out, 0, sizeof *out);
    try {
        Asker asker(*caller, *question, *limits, *provider);
        return asker.ask(out, err);
    } catch (const std::bad_alloc &) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for the answer of an archive");
    } catch (...) {
        return reha_fail(err, REHA_E_INTERNAL, "a question to an archive ended in an exception");
    }
}

extern "C" void reha_bridge_hang_up(reha_bridge_caller *caller)
{
    if (caller == nullptr) {
        return;
    }
    if (caller->association != nullptr) {
        if (caller->is_open) {
            ASC_releaseAssociation(caller->association);
        }
        ASC_destroyAssociation(&caller->association);
    }
    if (caller->network != nullptr) {
        ASC_dropNetwork(&caller->network);
    }
    delete caller;
}

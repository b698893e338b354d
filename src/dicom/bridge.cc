#include "dicom/bridge_priv.h"

#include "dcmtk/config/osconfig.h"

#include "dcmtk/dcmdata/dcpixel.h"
#include "dcmtk/dcmdata/dcpixseq.h"
#include "dcmtk/dcmdata/dcpxitem.h"
#include "dcmtk/dcmdata/dctk.h"
#include "dcmtk/dcmjpeg/djdecode.h"
#include "dcmtk/dcmjpls/djdecode.h"
#include "dcmtk/oflog/appender.h"
#include "dcmtk/oflog/oflog.h"
#include "dcmtk/oflog/spi/logevent.h"

#include <memory>
#include <mutex>
#include <new>

namespace
{

namespace log4cplus = dcmtk::log4cplus;

// Where the entropy coded data of a JPEG stream breaks, the decoder fills the rest of the image with
// grey, logs a warning and reports success. Such an image must not be analysed, so the warning is
// caught here: it is the only place where the damage shows.
thread_local int jpeg_faults;

class JpegFaults : public log4cplus::Appender
{
  public:
    ~JpegFaults() override
    {
        destructorImpl();
    }
    void close() override
    {
    }

  protected:
    void append(const log4cplus::spi::InternalLoggingEvent &event) override
    {
        const log4cplus::tstring &text = event.getMessage();
        if (text.find("premature end") != OFString_npos || text.find("bad Huffman code") != OFString_npos) {
            jpeg_faults++;
        }
    }
};

void watch_jpeg_warnings()
{
    log4cplus::Logger logger = log4cplus::Logger::getInstance("dcmtk.dcmjpeg");
    logger.setAdditivity(false);
    logger.setLogLevel(log4cplus::WARN_LOG_LEVEL);
    logger.addAppender(log4cplus::SharedAppenderPtr(new JpegFaults));
}

void register_codecs()
{
    OFLog::configure(OFLogger::OFF_LOG_LEVEL);
    watch_jpeg_warnings();
    // Colours stay as stored: this program decides about them (frames.c). The workarounds for
    // encoders of the 1990s are off: they would change what a correct stream decodes to.
    DJDecoderRegistration::registerCodecs(EDC_never, EUC_never, EPC_colorByPixel);
    DJLSDecoderRegistration::registerCodecs(EJLSUC_never, EJLSPC_colorByPixel, OFTrue);
}

E_TransferSyntax syntax_of(reha_bridge_codec codec)
{
    switch (codec) {
    case REHA_BRIDGE_JPEG_BASELINE:
        return EXS_JPEGProcess1;
    case REHA_BRIDGE_JPEG_EXTENDED:
        return EXS_JPEGProcess2_4;
    case REHA_BRIDGE_JPEG_PROGRESSIVE:
        return EXS_JPEGProcess10_12;
    case REHA_BRIDGE_JPEG_LOSSLESS:
        return EXS_JPEGProcess14;
    case REHA_BRIDGE_JPEG_LS:
        break;
    }
    return EXS_JPEGLSLossless;
}

// The VR is stated, so that DCMTK need not load its dictionary file for it.
bool put_u16(DcmItem &item, const DcmTagKey &key, uint16_t value)
{
    std::unique_ptr<DcmUnsignedShort> element(new DcmUnsignedShort(DcmTag(key, DcmVR(EVR_US))));
    if (element->putUint16(value, 0).bad() || item.insert(element.get()).bad()) {
        return false;
    }
    element.release(); // the item's now
    return true;
}

bool put_text(DcmItem &item, const DcmTagKey &key, const char *value)
{
    std::unique_ptr<DcmCodeString> element(new DcmCodeString(DcmTag(key, DcmVR(EVR_CS))));
    if (element->putString(value).bad() || item.insert(element.get()).bad()) {
        return false;
    }
    element.release();
    return true;
}

bool put_frame(DcmItem &item, const reha_bridge_frame &frame)
{
    const uint16_t allocated = frame.precision > 8 ? 16 : 8;
    return put_u16(item, DCM_SamplesPerPixel, frame.samples) &&
           put_text(item, DCM_PhotometricInterpretation, frame.samples == 1 ? "MONOCHROME2" : "RGB") &&
           (frame.samples == 1 || put_u16(item, DCM_PlanarConfiguration, 0)) &&
           put_u16(item, DCM_Rows, frame.rows) && put_u16(item, DCM_Columns, frame.columns) &&
           put_u16(item, DCM_BitsAllocated, allocated) && put_u16(item, DCM_BitsStored, frame.precision) &&
           put_u16(item, DCM_HighBit, static_cast<uint16_t>(frame.precision - 1)) &&
           put_u16(item, DCM_PixelRepresentation, 0);
}

// One fragment behind an empty offset table.
DcmPixelSequence *make_sequence(const reha_bridge_frame &frame)
{
    std::unique_ptr<DcmPixelSequence> sequence(new DcmPixelSequence(DcmTag(DCM_PixelData, DcmVR(EVR_OB))));
    for (int i = 0; i < 2; i++) {
        std::unique_ptr<DcmPixelItem> item(new DcmPixelItem(DcmTag(DCM_Item, DcmVR(EVR_OB))));
        if (i == 1 &&
            item->putUint8Array(frame.stream, static_cast<unsigned long>(frame.stream_bytes)).bad()) {
            return nullptr;
        }
        if (sequence->insert(item.get()).bad()) {
            return nullptr;
        }
        item.release();
    }
    return sequence.release();
}

reha_status decode(const reha_bridge_frame &frame, uint8_t *out, size_t out_bytes, reha_error *err)
{
    const E_TransferSyntax syntax = syntax_of(frame.codec);
    DcmDataset dataset;
    std::unique_ptr<DcmPixelData> owner(new DcmPixelData(DcmTag(DCM_PixelData, DcmVR(EVR_OB))));
    DcmPixelSequence *sequence = make_sequence(frame);
    if (sequence == nullptr || !put_frame(dataset, frame)) {
        delete sequence;
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a compressed frame");
    }
    owner->putOriginalRepresentation(syntax, nullptr, sequence);
    if (dataset.insert(owner.get()).bad()) {
        return reha_fail(err, REHA_E_INTERNAL, "a compressed frame could not be handed to its decoder");
    }
    DcmPixelData *pixels = owner.release();
    Uint32 fragment = 0;
    OFString colours;
    jpeg_faults = 0;
    const OFCondition result = pixels->getUncompressedFrame(&dataset, 0, fragment, out,
                                                            static_cast<Uint32>(out_bytes), colours, nullptr);
    if (result.bad() || jpeg_faults > 0) {
        // DCMTK's own text ("illegal call") helps nobody.
        return reha_fail(err, REHA_E_FORMAT, "the compressed frame is damaged or cut");
    }
    return REHA_OK;
}

} // namespace

extern "C" reha_status reha_bridge_decode(const reha_bridge_frame *frame, uint8_t *out, size_t out_bytes,
                                          reha_error *err)
{
    static std::once_flag registered;
    try {
        std::call_once(registered, register_codecs);
        return decode(*frame, out, out_bytes, err);
    } catch (const std::bad_alloc &) {
        return reha_fail(err, REHA_E_NOMEM, "out of memory for a compressed frame");
    } catch (...) {
        return reha_fail(err, REHA_E_FORMAT, "the compressed frame is damaged or cut");
    }
}

/* The list of what is kept, and the words that may stand in it. Tags and names: PS3.6; actions: PS3.15 table
 * E.1-1; what is not here goes. Who adds a line asks: can a person write into it? Then it needs a check. */
#include "dicom/deidentify_priv.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define KEEP(tag, vr, check) {tag, vr, false, DEID_KEEP, check},
#define NUMBERS(tag, vr)     {tag, vr, false, DEID_KEEP, DEID_NUMBER},
#define WORDS(tag)           {tag, "CS", false, DEID_KEEP, DEID_WORDS},
#define BINARY(tag, vr)      {tag, vr, false, DEID_KEEP, DEID_BINARY},
#define SEQUENCE(tag)        {tag, "SQ", false, DEID_SEQUENCE, DEID_ANY},
#define NEW_UID(tag, must)   {tag, "UI", must, DEID_UID, DEID_ANY},
#define EMPTY(tag, vr)       {tag, vr, true, DEID_EMPTY, DEID_ANY},

const deid_rule reha_deid_rules[] = {
    /* What it is, when and by what it was made. */
    {0x00080008, "CS", false, DEID_CLEAN, DEID_WORDS}, /* Image Type */
    {0x00080016, "UI", true, DEID_KEEP, DEID_CLASS},   /* SOP Class UID */
    NEW_UID(0x00080018, true)                          /* SOP Instance UID */
    {0x00080020, "DA", true, DEID_DATE, DEID_ANY},     /* Study Date */
    {0x00080021, "DA", false, DEID_DATE, DEID_ANY},    /* Series Date */
    {0x00080022, "DA", false, DEID_DATE, DEID_ANY},    /* Acquisition Date */
    {0x00080023, "DA", false, DEID_DATE, DEID_ANY},    /* Content Date */
    {0x0008002A, "DT", false, DEID_DATE, DEID_ANY},    /* Acquisition DateTime */
    EMPTY(0x00080030, "TM")                            /* Study Time */
    EMPTY(0x00080050, "SH")                            /* Accession Number */
    WORDS(0x00080060)                                  /* Modality */
    WORDS(0x00080064)                                  /* Conversion Type */
    WORDS(0x00080068)                                  /* Presentation Intent Type */
    {0x00080070, "LO", true, DEID_DEVICE, DEID_ANY},   /* Manufacturer */
    EMPTY(0x00080090, "PN")                            /* Referring Physician's Name */
    {0x00081090, "LO", false, DEID_DEVICE, DEID_ANY},  /* Manufacturer's Model Name */
    SEQUENCE(0x00081140)                               /* Referenced Image Sequence */
    KEEP(0x00081150, "UI", DEID_CLASS)                 /* Referenced SOP Class UID */
    NEW_UID(0x00081155, false)                         /* Referenced SOP Instance UID */
    NUMBERS(0x00081160, "IS")                          /* Referenced Frame Number */
    SEQUENCE(0x00082112)                               /* Source Image Sequence */
    {0x00082218, "SQ", false, DEID_CODED, DEID_ANY},   /* Anatomic Region Sequence */
    {0x00089007, "CS", false, DEID_CLEAN, DEID_WORDS}, /* Frame Type */
    WORDS(0x00089205)                                  /* Pixel Presentation */
    WORDS(0x00089206)                                  /* Volumetric Properties */
    WORDS(0x00089207)                                  /* Volume Based Calculation Technique */
    WORDS(0x00089208)                                  /* Complex Image Component */
    WORDS(0x00089209)                                  /* Acquisition Contrast */
    /* Who: nobody. */
    {0x00100010, "PN", true, DEID_DUMMY, DEID_ANY}, /* Patient's Name */
    {0x00100020, "LO", true, DEID_DUMMY, DEID_ANY}, /* Patient ID */
    EMPTY(0x00100030, "DA")                         /* Patient's Birth Date */
    EMPTY(0x00100040, "CS")                         /* Patient's Sex */
    {0x00120062, "CS", true, DEID_MARK, DEID_ANY},  /* Patient Identity Removed */
    {0x00120063, "LO", true, DEID_MARK, DEID_ANY},  /* De-identification Method */
    {0x00120064, "SQ", true, DEID_MARK, DEID_ANY},  /* De-identification Method Code Sequence */
    /* How it was acquired. */
    WORDS(0x00180015)         /* Body Part Examined */
    WORDS(0x00180020)         /* Scanning Sequence */
    WORDS(0x00180021)         /* Sequence Variant */
    WORDS(0x00180022)         /* Scan Options */
    WORDS(0x00180023)         /* MR Acquisition Type */
    NUMBERS(0x00180040, "IS") /* Cine Rate */
    NUMBERS(0x00180050, "DS") /* Slice Thickness */
    NUMBERS(0x00180060, "DS") /* KVP */
    NUMBERS(0x00180080, "DS") /* Repetition Time */
    NUMBERS(0x00180081, "DS") /* Echo Time */
    NUMBERS(0x00180082, "DS") /* Inversion Time */
    NUMBERS(0x00180083, "DS") /* Number of Averages */
    NUMBERS(0x00180084, "DS") /* Imaging Frequency */
    NUMBERS(0x00180086, "IS") /* Echo Number(s) */
    NUMBERS(0x00180087, "DS") /* Magnetic Field Strength */
    NUMBERS(0x00180088, "DS") /* Spacing Between Slices */
    NUMBERS(0x00180089, "IS") /* Number of Phase Encoding Steps */
    NUMBERS(0x00180091, "IS") /* Echo Train Length */
    NUMBERS(0x00180093, "DS") /* Percent Sampling */
    NUMBERS(0x00180094, "DS") /* Percent Phase Field of View */
    NUMBERS(0x00180095, "DS") /* Pixel Bandwidth */
    NUMBERS(0x00181063, "DS") /* Frame Time */
    NUMBERS(0x00181065, "DS") /* Frame Time Vector */
    NUMBERS(0x00181066, "DS") /* Frame Delay */
    NUMBERS(0x00181100, "DS") /* Reconstruction Diameter */
    NUMBERS(0x00181110, "DS") /* Distance Source to Detector */
    NUMBERS(0x00181111, "DS") /* Distance Source to Patient */
    NUMBERS(0x00181114, "DS") /* Estimated Radiographic Magnification Factor */
    NUMBERS(0x00181120, "DS") /* Gantry/Detector Tilt */
    WORDS(0x00181147)         /* Field of View Shape */
    NUMBERS(0x00181149, "IS") /* Field of View Dimension(s) */
    NUMBERS(0x00181150, "IS") /* Exposure Time */
    NUMBERS(0x00181151, "IS") /* X-Ray Tube Current */
    NUMBERS(0x00181152, "IS") /* Exposure */
    NUMBERS(0x00181164, "DS") /* Imager Pixel Spacing */
    NUMBERS(0x00181190, "DS") /* Focal Spot(s) */
    BINARY(0x00181310, "US")  /* Acquisition Matrix */
    WORDS(0x00181312)         /* In-plane Phase Encoding Direction */
    NUMBERS(0x00181314, "DS") /* Flip Angle */
    WORDS(0x00181508)         /* Positioner Type */
    NUMBERS(0x00181510, "DS") /* Positioner Primary Angle */
    NUMBERS(0x00181511, "DS") /* Positioner Secondary Angle */
    NUMBERS(0x00182010, "DS") /* Nominal Scanned Pixel Spacing */
    WORDS(0x00185100)         /* Patient Position */
    WORDS(0x00185101)         /* View Position */
    SEQUENCE(0x00186011)      /* Sequence of Ultrasound Regions */
    BINARY(0x00186012, "US")  /* Region Spatial Format */
    BINARY(0x00186014, "US")  /* Region Data Type */
    BINARY(0x00186016, "UL")  /* Region Flags */
    BINARY(0x00186018, "UL")  /* Region Location Min X0 */
    BINARY(0x0018601A, "UL")  /* Region Location Min Y0 */
    BINARY(0x0018601C, "UL")  /* Region Location Max X1 */
    BINARY(0x0018601E, "UL")  /* Region Location Max Y1 */
    BINARY(0x00186020, "SL")  /* Reference Pixel X0 */
    BINARY(0x00186022, "SL")  /* Reference Pixel Y0 */
    BINARY(0x00186024, "US")  /* Physical Units X Direction */
    BINARY(0x00186026, "US")  /* Physical Units Y Direction */
    BINARY(0x00186028, "FD")  /* Reference Pixel Physical Value X */
    BINARY(0x0018602A, "FD")  /* Reference Pixel Physical Value Y */
    BINARY(0x0018602C, "FD")  /* Physical Delta X */
    BINARY(0x0018602E, "FD")  /* Physical Delta Y */
    BINARY(0x00186030, "UL")  /* Transducer Frequency */
    WORDS(0x00186031)         /* Transducer Type */
    WORDS(0x00187004)         /* Detector Type */
    NUMBERS(0x00187020, "DS") /* Detector Element Physical Size */
    NUMBERS(0x00187022, "DS") /* Detector Element Spacing */
    BINARY(0x00189082, "FD")  /* Effective Echo Time */
    SEQUENCE(0x00189112)      /* MR Timing and Related Parameters */
    SEQUENCE(0x00189114)      /* MR Echo Sequence */
    SEQUENCE(0x00189226)      /* MR Image Frame Type Sequence */
    /* Where it belongs and lies. */
    NEW_UID(0x0020000D, true)                        /* Study Instance UID */
    NEW_UID(0x0020000E, true)                        /* Series Instance UID */
    EMPTY(0x00200010, "SH")                          /* Study ID */
    NUMBERS(0x00200011, "IS")                        /* Series Number */
    NUMBERS(0x00200012, "IS")                        /* Acquisition Number */
    NUMBERS(0x00200013, "IS")                        /* Instance Number */
    KEEP(0x00200020, "CS", DEID_ORIENTATION)         /* Patient Orientation */
    NUMBERS(0x00200032, "DS")                        /* Image Position (Patient) */
    NUMBERS(0x00200037, "DS")                        /* Image Orientation (Patient) */
    NEW_UID(0x00200052, false)                       /* Frame of Reference UID */
    WORDS(0x00200060)                                /* Laterality */
    WORDS(0x00200062)                                /* Image Laterality */
    NUMBERS(0x00200100, "IS")                        /* Temporal Position Identifier */
    NUMBERS(0x00200105, "IS")                        /* Number of Temporal Positions */
    NUMBERS(0x00200110, "DS")                        /* Temporal Resolution */
    NUMBERS(0x00201002, "IS")                        /* Images in Acquisition */
    {0x00201040, "LO", false, DEID_EMPTY, DEID_ANY}, /* Position Reference Indicator */
    NUMBERS(0x00201041, "DS")                        /* Slice Location */
    BINARY(0x00209057, "UL")                         /* In-Stack Position Number */
    SEQUENCE(0x00209071)                             /* Frame Anatomy Sequence */
    WORDS(0x00209072)                                /* Frame Laterality */
    SEQUENCE(0x00209111)                             /* Frame Content Sequence */
    SEQUENCE(0x00209113)                             /* Plane Position Sequence */
    SEQUENCE(0x00209116)                             /* Plane Orientation Sequence */
    BINARY(0x00209128, "UL")                         /* Temporal Position Index */
    BINARY(0x00209156, "US")                         /* Frame Acquisition Number */
    BINARY(0x00209157, "UL")                         /* Dimension Index Values */
    /* The pixels and how to show them. */
    BINARY(0x00280002, "US")                         /* Samples per Pixel */
    WORDS(0x00280004)                                /* Photometric Interpretation */
    BINARY(0x00280006, "US")                         /* Planar Configuration */
    NUMBERS(0x00280008, "IS")                        /* Number of Frames */
    BINARY(0x00280009, "AT")                         /* Frame Increment Pointer */
    BINARY(0x00280010, "US")                         /* Rows */
    BINARY(0x00280011, "US")                         /* Columns */
    BINARY(0x00280014, "US")                         /* Ultrasound Color Data Present */
    NUMBERS(0x00280030, "DS")                        /* Pixel Spacing */
    NUMBERS(0x00280034, "IS")                        /* Pixel Aspect Ratio */
    BINARY(0x00280100, "US")                         /* Bits Allocated */
    BINARY(0x00280101, "US")                         /* Bits Stored */
    BINARY(0x00280102, "US")                         /* High Bit */
    BINARY(0x00280103, "US")                         /* Pixel Representation */
    BINARY(0x00280106, "US")                         /* Smallest Image Pixel Value */
    BINARY(0x00280107, "US")                         /* Largest Image Pixel Value */
    BINARY(0x00280120, "US")                         /* Pixel Padding Value */
    BINARY(0x00280121, "US")                         /* Pixel Padding Range Limit */
    WORDS(0x00280300)                                /* Quality Control Image */
    WORDS(0x00280301)                                /* Burned In Annotation */
    WORDS(0x00280302)                                /* Recognizable Visual Features */
    {0x00280303, "CS", true, DEID_MARK, DEID_ANY},   /* Longitudinal Temporal Information Modified */
    WORDS(0x00280A02)                                /* Pixel Spacing Calibration Type */
    WORDS(0x00281040)                                /* Pixel Intensity Relationship */
    BINARY(0x00281041, "SS")                         /* Pixel Intensity Relationship Sign */
    NUMBERS(0x00281050, "DS")                        /* Window Center */
    NUMBERS(0x00281051, "DS")                        /* Window Width */
    NUMBERS(0x00281052, "DS")                        /* Rescale Intercept */
    NUMBERS(0x00281053, "DS")                        /* Rescale Slope */
    KEEP(0x00281054, "LO", DEID_WORDS)               /* Rescale Type */
    WORDS(0x00281056)                                /* VOI LUT Function */
    BINARY(0x00281101, "US")                         /* Red Palette Color Lookup Table Descriptor */
    BINARY(0x00281102, "US")                         /* Green Palette Color Lookup Table Descriptor */
    BINARY(0x00281103, "US")                         /* Blue Palette Color Lookup Table Descriptor */
    KEEP(0x00281201, "OW", DEID_TABLE)               /* Red Palette Color Lookup Table Data */
    KEEP(0x00281202, "OW", DEID_TABLE)               /* Green Palette Color Lookup Table Data */
    KEEP(0x00281203, "OW", DEID_TABLE)               /* Blue Palette Color Lookup Table Data */
    WORDS(0x00282110)                                /* Lossy Image Compression */
    NUMBERS(0x00282112, "DS")                        /* Lossy Image Compression Ratio */
    WORDS(0x00282114)                                /* Lossy Image Compression Method */
    SEQUENCE(0x00283000)                             /* Modality LUT Sequence */
    BINARY(0x00283002, "US")                         /* LUT Descriptor */
    KEEP(0x00283004, "LO", DEID_WORDS)               /* Modality LUT Type */
    KEEP(0x00283006, "OW", DEID_TABLE)               /* LUT Data */
    SEQUENCE(0x00283010)                             /* VOI LUT Sequence */
    SEQUENCE(0x00289110)                             /* Pixel Measures Sequence */
    SEQUENCE(0x00289132)                             /* Frame VOI LUT Sequence */
    SEQUENCE(0x00289145)                             /* Pixel Value Transformation Sequence */
    {0x00540220, "SQ", false, DEID_CODED, DEID_ANY}, /* View Code Sequence */
    WORDS(0x20500020)                                /* Presentation LUT Shape */
    SEQUENCE(0x52009229)                             /* Shared Functional Groups Sequence */
    SEQUENCE(0x52009230)                             /* Per-Frame Functional Groups Sequence */
    {TAG_PIXEL_DATA, "OW", true, DEID_PIXELS, DEID_ANY}};

const size_t reha_deid_rule_count = sizeof reha_deid_rules / sizeof reha_deid_rules[0];
_Static_assert(sizeof reha_deid_rules / sizeof reha_deid_rules[0] <= DEID_RULES_MAX, "more room for rules");

const deid_rule *reha_deid_find_rule(uint32_t tag)
{
    size_t low = 0;
    size_t high = reha_deid_rule_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (reha_deid_rules[middle].tag < tag) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < reha_deid_rule_count && reha_deid_rules[low].tag == tag ? &reha_deid_rules[low] : NULL;
}

/* Defined terms of PS3.3 and PS3.16 (CID 4 and its kin) that images of the body use. */
static const char *const known_words[] = {
    /* modalities */
    "CR", "CT", "DX", "DR", "RG", "MR", "US", "MG", "XA", "RF", "NM", "PT", "OT", "IO", "PX", "XC", "GM",
    "ES", "IVUS", "BMD", "OP", "OCT", "SC",
    /* kinds of images and frames */
    "ORIGINAL", "DERIVED", "MIXED", "PRIMARY", "SECONDARY", "OTHER", "AXIAL", "LOCALIZER", "PROJECTION",
    "IMAGE", "SINGLE", "PLANE", "BIPLANE", "FRAME", "M", "P", "R", "I", "ND", "NORM", "DIS2D", "DIS3D", "SE",
    "FFE", "IR", "T1", "T2", "T2S", "T1MAP", "T2MAP", "R2", "MAP", "PD", "PROTON", "DENSITY", "WEIGHTED",
    "FLUID", "ATTENUATED", "DIFFUSION", "ADC", "FA", "TRACE", "TRACEW", "MPR", "MIP", "MEAN", "MAX", "MIN",
    "NONE", "ADD", "SUB", "SUM", "AVERAGE", "MOSAIC", "FIL", "FSE", "TSE", "GRE", "STIR", "WATER", "FAT",
    "IN", "OUT", "PHASE", "OPP", "MAGNITUDE", "REAL", "IMAGINARY", "COMPLEX", "COLOR", "COLOUR", "MONOCHROME",
    "TRUE", "VOLUME", "SAMPLED", "DISTORTED", "SCOUT", "PRESENTATION", "PROCESSING", "FOR", "STITCHED",
    "SCREEN", "CAPTURE", "SAVE", "REFORMATTED", "RESAMPLED", "FILTERED", "0001", "TISSUE", "ABDOMINAL",
    "MUSCULOSKELETAL", "MSK", "SMALL", "PARTS", "GENERAL",
    /* conversion, colour, tables */
    "DV", "DI", "DF", "WSD", "SD", "SI", "DRW", "SYN", "MONOCHROME1", "MONOCHROME2", "PALETTE", "RGB", "YBR",
    "FULL", "PARTIAL", "RCT", "ICT", "YES", "NO", "LIN", "LOG", "LINEAR", "EXACT", "SIGMOID", "IDENTITY",
    "INVERSE", "HU", "OD", "UNSPECIFIED", "GEOMETRY", "FIDUCIAL", "ISO", "JPEG", "JP2", "NORMAL", "DISP",
    /* magnetic resonance and X-ray */
    "EP", "RM", "SK", "MTC", "SS", "TRSS", "SP", "MP", "OSP", "PER", "RG", "CG", "PPG", "FC", "PFF", "PFP",
    "FS", "SAT1", "SAT2", "SAT3", "2D", "3D", "ROW", "COL", "COLUMN", "FREQ", "CARM", "DIRECT",
    "SCINTILLATOR", "STORAGE", "FILM", "CCD", "RECTANGLE", "ROUND", "HEXAGONAL", "SECTOR", "CURVED",
    "SINGLECRYSTAL", "ENDOCAV", "ANNULAR", "PHASED", "ARRAY", "CONVEX",
    /* positions, views, sides */
    "HFP", "HFS", "HFDR", "HFDL", "FFDR", "FFDL", "FFP", "FFS", "AFP", "AFS", "AFDR", "AFDL", "PFS", "PFDR",
    "PFDL", "AP", "PA", "LL", "RL", "LLD", "RLD", "LLO", "RLO", "LPO", "RPO", "LAO", "RAO", "LAT", "LATERAL",
    "MEDIAL", "OBL", "OBLIQUE", "FRONTAL", "ANTERIOR", "POSTERIOR", "TANGENTIAL", "SUNRISE", "SKYLINE",
    "MERCHANT", "ROSENBERG", "TUNNEL", "STANDING", "SUPINE", "PRONE", "LORDOTIC", "DORSAL", "PALMAR",
    "PLANTAR", "VOLAR", "INTERNAL", "EXTERNAL", "SAGITTAL", "CORONAL", "TRANSVERSE", "LONGITUDINAL", "RIGHT",
    "LEFT", "BOTH", "BILATERAL", "UNILATERAL", "UNPAIRED", "L", "B", "U",
    /* the body */
    "KNEE", "LEG", "LOWER", "UPPER", "EXTREMITY", "EXTREMITIES", "LIMB", "LIMBS", "LOWERLIMB", "UPPERLIMB",
    "LOWLEG", "FEMUR", "TIBIA", "FIBULA", "PATELLA", "THIGH", "CALF", "HIP", "HIPS", "PELVIS", "ANKLE",
    "FOOT", "FEET", "HEEL", "CALCANEUS", "TOE", "TOES", "ACHILLES", "TENDON", "MUSCLE", "LIGAMENT",
    "MENISCUS", "CARTILAGE", "GASTROCNEMIUS", "SOLEUS", "QUADRICEPS", "VASTUS", "LATERALIS", "MEDIALIS",
    "RECTUS", "FEMORIS", "BICEPS", "TRICEPS", "HAMSTRING", "HAMSTRINGS", "HAND", "HANDS", "WRIST", "FINGER",
    "FINGERS", "THUMB", "CARPUS", "SCAPHOID", "FOREARM", "RADIUS", "ULNA", "ELBOW", "HUMERUS", "ARM",
    "SHOULDER", "CLAVICLE", "SCAPULA", "ACJOINT", "SIJOINT", "TMJ", "JOINT", "JOINTS", "BONE", "BONES",
    "SPINE", "CSPINE", "TSPINE", "LSPINE", "SSPINE", "CTSPINE", "TLSPINE", "LSSPINE", "CERVICAL", "THORACIC",
    "LUMBAR", "SACRUM", "COCCYX", "SKULL", "HEAD", "BRAIN", "NECK", "FACE", "JAW", "CHEST", "THORAX", "RIB",
    "RIBS", "STERNUM", "ABDOMEN", "BREAST", "HEART", "LIVER", "KIDNEY", "WHOLEBODY", "WHOLE", "BODY", "OF",
    "STRUCTURE", "REGION", "AND", "ENTIRE", "VIEW", "ANTERO", "POSTERO"};

static bool is_one_of_length(const char *word, size_t length, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(words[i]) == length && strncasecmp(words[i], word, length) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_known_word(const char *word, size_t length)
{
    static const char *const standards[] = {"10918", "14495", "15444"};
    size_t digits = 0;
    while (digits < length && isdigit((unsigned char)word[digits])) {
        digits++;
    }
    if (digits == length) { /* "422" of YBR_FULL_422; the standards of compression; no number of a person */
        return length <= 3 ||
               is_one_of_length(word, length, standards, sizeof standards / sizeof standards[0]);
    }
    return is_one_of_length(word, length, known_words, sizeof known_words / sizeof known_words[0]);
}

bool reha_deid_are_known_words(const char *text, size_t length)
{
    static const char between[] = " _-/\\.,()";
    size_t at = 0;
    while (at < length) {
        size_t end = at;
        while (end < length && isalnum((unsigned char)text[end])) {
            end++;
        }
        if (end > at && !is_known_word(text + at, end - at)) {
            return false;
        }
        if (end < length && (text[end] == '\0' || strchr(between, text[end]) == NULL)) {
            return false;
        }
        at = end + 1;
    }
    return true;
}

bool reha_deid_is_code(const char *text)
{
    const size_t length = strlen(text);
    if (length >= 3 && isupper((unsigned char)text[0]) && text[1] == '-') { /* SRT: "T-D9200", "R-10206" */
        return length <= 9 && strspn(text + 2, "0123456789ABCDEF") == length - 2;
    }
    return length >= 4 && length <= 16 && strspn(text, "0123456789") == length;
}

static bool is_one_of(const char *text, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], text) == 0) {
            return true;
        }
    }
    return false;
}

bool reha_deid_is_scheme(const char *text)
{
    static const char *const schemes[] = {"SCT", "SRT", "SNM3", "DCM", "99SDM"};
    return is_one_of(text, schemes, sizeof schemes / sizeof schemes[0]);
}

#define STORAGE "1.2.840.10008.5.1.4.1.1."

bool reha_deid_is_risky_class(const char *uid)
{
    static const char *const classes[] = {STORAGE "3",      STORAGE "3.1",   STORAGE "6",   STORAGE "6.1",
                                          STORAGE "6.2",    STORAGE "6.3",   STORAGE "7",   STORAGE "7.1",
                                          STORAGE "7.2",    STORAGE "7.3",   STORAGE "7.4", STORAGE "77.1.1",
                                          STORAGE "77.1.2", STORAGE "77.1.4"};
    return is_one_of(uid, classes, sizeof classes / sizeof classes[0]);
}

bool reha_deid_is_image_class(const char *uid)
{
    static const char *const classes[] = {
        STORAGE "1",      STORAGE "1.1",    STORAGE "1.1.1",  STORAGE "1.2",    STORAGE "1.2.1",
        STORAGE "1.3",    STORAGE "1.3.1",  STORAGE "2",      STORAGE "2.1",    STORAGE "2.2",
        STORAGE "4",      STORAGE "4.1",    STORAGE "4.3",    STORAGE "4.4",    STORAGE "5",
        STORAGE "12.1",   STORAGE "12.1.1", STORAGE "12.2",   STORAGE "12.2.1", STORAGE "13.1.1",
        STORAGE "13.1.2", STORAGE "13.1.3", STORAGE "13.1.4", STORAGE "13.1.5", STORAGE "20",
        STORAGE "128",    STORAGE "130"};
    return reha_deid_is_risky_class(uid) || is_one_of(uid, classes, sizeof classes / sizeof classes[0]);
}

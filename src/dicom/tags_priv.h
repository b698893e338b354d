/* The attributes that this room reads or writes, by their names in DICOM PS3.6. */
#ifndef REHA_DICOM_TAGS_PRIV_H
#define REHA_DICOM_TAGS_PRIV_H

#include <stdint.h>

/* Tag = group << 16 | element; value representation = its two letters. */
#define REHA_VR(a, b) ((uint16_t)(((a) << 8) | (b)))

/* X(name, tag, VR letter 1, VR letter 2): the VR is needed for files that don't carry it. */
#define REHA_DICOM_TAGS(X)                                                                                   \
    X(TRANSFER_SYNTAX_UID, 0x00020010, 'U', 'I')                                                             \
    X(SPECIFIC_CHARACTER_SET, 0x00080005, 'C', 'S')                                                          \
    X(IMAGE_TYPE, 0x00080008, 'C', 'S')                                                                      \
    X(SOP_CLASS_UID, 0x00080016, 'U', 'I')                                                                   \
    X(SOP_INSTANCE_UID, 0x00080018, 'U', 'I')                                                                \
    X(STUDY_DATE, 0x00080020, 'D', 'A')                                                                      \
    X(ACQUISITION_DATE, 0x00080022, 'D', 'A')                                                                \
    X(CONTENT_DATE, 0x00080023, 'D', 'A')                                                                    \
    X(ACQUISITION_DATE_TIME, 0x0008002A, 'D', 'T')                                                           \
    X(STUDY_TIME, 0x00080030, 'T', 'M')                                                                      \
    X(ACCESSION_NUMBER, 0x00080050, 'S', 'H')                                                                \
    X(QUERY_RETRIEVE_LEVEL, 0x00080052, 'C', 'S')                                                            \
    X(MODALITY, 0x00080060, 'C', 'S')                                                                        \
    X(MODALITIES_IN_STUDY, 0x00080061, 'C', 'S')                                                             \
    X(CONVERSION_TYPE, 0x00080064, 'C', 'S')                                                                 \
    X(MANUFACTURER, 0x00080070, 'L', 'O')                                                                    \
    X(REFERRING_PHYSICIAN_NAME, 0x00080090, 'P', 'N')                                                        \
    X(CODE_MEANING, 0x00080104, 'L', 'O')                                                                    \
    X(STUDY_DESCRIPTION, 0x00081030, 'L', 'O')                                                               \
    X(MANUFACTURER_MODEL_NAME, 0x00081090, 'L', 'O')                                                         \
    X(REFERENCED_IMAGE_SEQUENCE, 0x00081140, 'S', 'Q')                                                       \
    X(SOURCE_IMAGE_SEQUENCE, 0x00082112, 'S', 'Q')                                                           \
    X(ANATOMIC_REGION_SEQUENCE, 0x00082218, 'S', 'Q')                                                        \
    X(FRAME_TYPE, 0x00089007, 'C', 'S')                                                                      \
    X(PATIENT_NAME, 0x00100010, 'P', 'N')                                                                    \
    X(PATIENT_ID, 0x00100020, 'L', 'O')                                                                      \
    X(ISSUER_OF_PATIENT_ID, 0x00100021, 'L', 'O')                                                            \
    X(PATIENT_BIRTH_DATE, 0x00100030, 'D', 'A')                                                              \
    X(PATIENT_SEX, 0x00100040, 'C', 'S')                                                                     \
    X(BODY_PART_EXAMINED, 0x00180015, 'C', 'S')                                                              \
    X(SLICE_THICKNESS, 0x00180050, 'D', 'S')                                                                 \
    X(REPETITION_TIME, 0x00180080, 'D', 'S')                                                                 \
    X(ECHO_TIME, 0x00180081, 'D', 'S')                                                                       \
    X(MAGNETIC_FIELD_STRENGTH, 0x00180087, 'D', 'S')                                                         \
    X(SPACING_BETWEEN_SLICES, 0x00180088, 'D', 'S')                                                          \
    X(DISTANCE_SOURCE_TO_DETECTOR, 0x00181110, 'D', 'S')                                                     \
    X(DISTANCE_SOURCE_TO_PATIENT, 0x00181111, 'D', 'S')                                                      \
    X(ESTIMATED_MAGNIFICATION, 0x00181114, 'D', 'S')                                                         \
    X(IMAGER_PIXEL_SPACING, 0x00181164, 'D', 'S')                                                            \
    X(NOMINAL_SCANNED_PIXEL_SPACING, 0x00182010, 'D', 'S')                                                   \
    X(PATIENT_POSITION, 0x00185100, 'C', 'S')                                                                \
    X(VIEW_POSITION, 0x00185101, 'C', 'S')                                                                   \
    X(SEQUENCE_OF_ULTRASOUND_REGIONS, 0x00186011, 'S', 'Q')                                                  \
    X(REGION_SPATIAL_FORMAT, 0x00186012, 'U', 'S')                                                           \
    X(REGION_DATA_TYPE, 0x00186014, 'U', 'S')                                                                \
    X(REGION_MIN_X0, 0x00186018, 'U', 'L')                                                                   \
    X(REGION_MIN_Y0, 0x0018601A, 'U', 'L')                                                                   \
    X(REGION_MAX_X1, 0x0018601C, 'U', 'L')                                                                   \
    X(REGION_MAX_Y1, 0x0018601E, 'U', 'L')                                                                   \
    X(PHYSICAL_UNITS_X, 0x00186024, 'U', 'S')                                                                \
    X(PHYSICAL_UNITS_Y, 0x00186026, 'U', 'S')                                                                \
    X(PHYSICAL_DELTA_X, 0x0018602C, 'F', 'D')                                                                \
    X(PHYSICAL_DELTA_Y, 0x0018602E, 'F', 'D')                                                                \
    X(EFFECTIVE_ECHO_TIME, 0x00189082, 'F', 'D')                                                             \
    X(MR_TIMING_SEQUENCE, 0x00189112, 'S', 'Q')                                                              \
    X(MR_ECHO_SEQUENCE, 0x00189114, 'S', 'Q')                                                                \
    X(MR_IMAGE_FRAME_TYPE_SEQUENCE, 0x00189226, 'S', 'Q')                                                    \
    X(STUDY_INSTANCE_UID, 0x0020000D, 'U', 'I')                                                              \
    X(SERIES_INSTANCE_UID, 0x0020000E, 'U', 'I')                                                             \
    X(STUDY_ID, 0x00200010, 'S', 'H')                                                                        \
    X(SERIES_NUMBER, 0x00200011, 'I', 'S')                                                                   \
    X(INSTANCE_NUMBER, 0x00200013, 'I', 'S')                                                                 \
    X(PATIENT_ORIENTATION, 0x00200020, 'C', 'S')                                                             \
    X(IMAGE_POSITION_PATIENT, 0x00200032, 'D', 'S')                                                          \
    X(IMAGE_ORIENTATION_PATIENT, 0x00200037, 'D', 'S')                                                       \
    X(FRAME_OF_REFERENCE_UID, 0x00200052, 'U', 'I')                                                          \
    X(LATERALITY, 0x00200060, 'C', 'S')                                                                      \
    X(IMAGE_LATERALITY, 0x00200062, 'C', 'S')                                                                \
    X(TEMPORAL_POSITION_IDENTIFIER, 0x00200100, 'I', 'S')                                                    \
    X(NUMBER_OF_STUDY_RELATED_INSTANCES, 0x00201208, 'I', 'S')                                               \
    X(FRAME_ANATOMY_SEQUENCE, 0x00209071, 'S', 'Q')                                                          \
    X(FRAME_LATERALITY, 0x00209072, 'C', 'S')                                                                \
    X(FRAME_CONTENT_SEQUENCE, 0x00209111, 'S', 'Q')                                                          \
    X(PLANE_POSITION_SEQUENCE, 0x00209113, 'S', 'Q')                                                         \
    X(PLANE_ORIENTATION_SEQUENCE, 0x00209116, 'S', 'Q')                                                      \
    X(SAMPLES_PER_PIXEL, 0x00280002, 'U', 'S')                                                               \
    X(PHOTOMETRIC_INTERPRETATION, 0x00280004, 'C', 'S')                                                      \
    X(PLANAR_CONFIGURATION, 0x00280006, 'U', 'S')                                                            \
    X(NUMBER_OF_FRAMES, 0x00280008, 'I', 'S')                                                                \
    X(ROWS, 0x00280010, 'U', 'S')                                                                            \
    X(COLUMNS, 0x00280011, 'U', 'S')                                                                         \
    X(PIXEL_SPACING, 0x00280030, 'D', 'S')                                                                   \
    X(PIXEL_ASPECT_RATIO, 0x00280034, 'I', 'S')                                                              \
    X(BITS_ALLOCATED, 0x00280100, 'U', 'S')                                                                  \
    X(BITS_STORED, 0x00280101, 'U', 'S')                                                                     \
    X(HIGH_BIT, 0x00280102, 'U', 'S')                                                                        \
    X(PIXEL_REPRESENTATION, 0x00280103, 'U', 'S')                                                            \
    X(PIXEL_PADDING_VALUE, 0x00280120, 'U', 'S')                                                             \
    X(PIXEL_PADDING_LIMIT, 0x00280121, 'U', 'S')                                                             \
    X(BURNED_IN_ANNOTATION, 0x00280301, 'C', 'S')                                                            \
    X(RECOGNIZABLE_VISUAL_FEATURES, 0x00280302, 'C', 'S')                                                    \
    X(CALIBRATION_TYPE, 0x00280A02, 'C', 'S')                                                                \
    X(WINDOW_CENTER, 0x00281050, 'D', 'S')                                                                   \
    X(WINDOW_WIDTH, 0x00281051, 'D', 'S')                                                                    \
    X(RESCALE_INTERCEPT, 0x00281052, 'D', 'S')                                                               \
    X(RESCALE_SLOPE, 0x00281053, 'D', 'S')                                                                   \
    X(VOI_LUT_FUNCTION, 0x00281056, 'C', 'S')                                                                \
    X(RED_PALETTE_DESCRIPTOR, 0x00281101, 'U', 'S')                                                          \
    X(GREEN_PALETTE_DESCRIPTOR, 0x00281102, 'U', 'S')                                                        \
    X(BLUE_PALETTE_DESCRIPTOR, 0x00281103, 'U', 'S')                                                         \
    X(RED_PALETTE_DATA, 0x00281201, 'O', 'W')                                                                \
    X(GREEN_PALETTE_DATA, 0x00281202, 'O', 'W')                                                              \
    X(BLUE_PALETTE_DATA, 0x00281203, 'O', 'W')                                                               \
    X(RED_SEGMENTED_DATA, 0x00281221, 'O', 'W')                                                              \
    X(LOSSY_IMAGE_COMPRESSION, 0x00282110, 'C', 'S')                                                         \
    X(LOSSY_COMPRESSION_RATIO, 0x00282112, 'D', 'S')                                                         \
    X(LOSSY_COMPRESSION_METHOD, 0x00282114, 'C', 'S')                                                        \
    X(MODALITY_LUT_SEQUENCE, 0x00283000, 'S', 'Q')                                                           \
    X(LUT_DESCRIPTOR, 0x00283002, 'U', 'S')                                                                  \
    X(LUT_DATA, 0x00283006, 'O', 'W')                                                                        \
    X(VOI_LUT_SEQUENCE, 0x00283010, 'S', 'Q')                                                                \
    X(PIXEL_MEASURES_SEQUENCE, 0x00289110, 'S', 'Q')                                                         \
    X(FRAME_VOI_LUT_SEQUENCE, 0x00289132, 'S', 'Q')                                                          \
    X(PIXEL_VALUE_TRANSFORMATION_SEQUENCE, 0x00289145, 'S', 'Q')                                             \
    X(VIEW_CODE_SEQUENCE, 0x00540220, 'S', 'Q')                                                              \
    X(SHARED_FUNCTIONAL_GROUPS, 0x52009229, 'S', 'Q')                                                        \
    X(PER_FRAME_FUNCTIONAL_GROUPS, 0x52009230, 'S', 'Q')                                                     \
    X(EXTENDED_OFFSET_TABLE, 0x7FE00001, 'O', 'V')                                                           \
    X(FLOAT_PIXEL_DATA, 0x7FE00008, 'O', 'F')                                                                \
    X(DOUBLE_PIXEL_DATA, 0x7FE00009, 'O', 'D')                                                               \
    X(PIXEL_DATA, 0x7FE00010, 'O', 'W')

#define REHA_DICOM_TAG_CONSTANT(name, tag, a, b) TAG_##name = (tag),
enum { REHA_DICOM_TAGS(REHA_DICOM_TAG_CONSTANT) };
#undef REHA_DICOM_TAG_CONSTANT

/* Structure, not data; beyond the range of an enum. */
/* Who wrote a file: this program, whatever its version (PS3.7 D.3.3.2). */
#define REHA_IMPLEMENTATION_CLASS_UID "2.25.170325409213781540672943810562749031187"

#define TAG_ITEM         0xFFFEE000u
#define TAG_ITEM_END     0xFFFEE00Du
#define TAG_SEQUENCE_END 0xFFFEE0DDu

#endif

/* The architecture of one muscle belly from the network's maps: which two aponeuroses bound it, how thick it
 * is, how its fascicles run. All lengths in pixels of the image; the caller knows about millimetres.
 *
 * Angles are against the image's horizontal: 0 is level, positive rises to the right, -90..90. */
#ifndef REHA_RECOGNITION_MUSCLE_MEASURE_H
#define REHA_RECOGNITION_MUSCLE_MEASURE_H

#include "recognition/muscle_lines.h"

enum { REHA_MUSCLE_PROFILE = 32, REHA_MUSCLE_SHOWN_MAX = 13 };

typedef enum reha_muscle_direction_source {
    REHA_MUSCLE_DIRECTION_NONE,
    REHA_MUSCLE_DIRECTION_FASCICLES, /* of what the network marked */
    REHA_MUSCLE_DIRECTION_FAINT,     /* the same, but hardly anything was marked */
    REHA_MUSCLE_DIRECTION_TEXTURE    /* of the grey texture of the belly: nothing was marked */
} reha_muscle_direction_source;

typedef struct reha_muscle_measurement {
    bool has_superficial, has_deep;
    int band_count;
    reha_muscle_curve superficial, deep; /* the edges that face the belly */
    double superficial_angle_deg, deep_angle_deg;

    double thickness_px; /* mean of the profile; NaN without both aponeuroses */
    double thickness_sd_px;
    double profile_px[REHA_MUSCLE_PROFILE]; /* perpendicular to the middle line, left to right */
    double profile_x_px[REHA_MUSCLE_PROFILE],
        profile_y_px[REHA_MUSCLE_PROFILE]; /* where on the middle line */

    reha_muscle_direction_source direction_source;
    double fascicle_angle_deg;               /* NaN: no direction */
    double fascicle_spread_deg;              /* robust SD over the pieces */
    double fascicle_error_deg;               /* standard error of the angle from that spread */
    double texture_angle_deg, texture_share; /* of the grey texture; share of it that has this direction */
    int segment_count;                       /* in the belly */
    double pennation_deg;                    /* fascicle against deep aponeurosis, 0..90 */
    double pennation_superficial_deg;

    double length_px;        /* straight from deep to superficial; NaN without both */
    double length_sd_px;     /* over the places along the muscle */
    double length_outside;   /* share of it outside of the field of view: extrapolated */
    double length_curved_px; /* along the measured change of direction with depth; NaN: not supported */
    double bending_deg;      /* change of angle from deep to superficial; NaN: not supported */

    double echo_mean, echo_sd; /* grey levels of the stored image, inside the belly */
    int shown_count;
    reha_point_px shown[REHA_MUSCLE_SHOWN_MAX][2]; /* fascicles to draw, deep end first */
} reha_muscle_measurement;

/* aponeurosis, fascicle: REHA_MUSCLE_MAP_PX squared probabilities over the frame's box. image NULL: neither
 * texture nor echo intensity. What cannot be measured is NaN and no error. */
REHA_MUST_USE reha_status reha_muscle_measure(const reha_gray *image, const reha_muscle_frame *frame,
                                              const float *aponeurosis, const float *fascicle,
                                              reha_muscle_measurement *out, reha_error *err);

/* Median, weighted by length, and robust SD of directions (period 180 degrees). NaN for none. */
double reha_muscle_median_angle(const reha_muscle_segment *segments, int count, double *spread_deg);

/* The angle into -90..90: directions have no head. */
double reha_muscle_wrap(double angle_deg);
/* Between two directions, 0 to 90 degrees. */
double reha_muscle_angle_between(double a_deg, double b_deg);

/* Fills what `out` says of direction and pennation from the fascicle map, and `segments` (room for
 * REHA_MUSCLE_SEGMENTS_MAX) with out->segment_count pieces; the aponeuroses must stand in `out`. image NULL:
 * no texture. */
REHA_MUST_USE reha_status reha_muscle_direction(const reha_gray *image, const reha_muscle_frame *frame,
                                                const float *fascicle, reha_muscle_segment *segments,
                                                reha_muscle_measurement *out, reha_error *err);

/* Direction of the grey texture of the belly (structure tensor on a smoothed copy); share of the weight
 * within 10 degrees of it. NaN if nothing has a direction. */
REHA_MUST_USE reha_status reha_muscle_texture(const reha_gray *image, const reha_muscle_frame *frame,
                                              const reha_muscle_measurement *belly, double *angle_deg,
                                              double *share, reha_error *err);

/* True between the two aponeuroses. */
bool reha_muscle_in_belly(const reha_muscle_measurement *belly, reha_point_px at);
/* The same without `margin` (a share of the thickness there) along both; where one of them was not seen there
 * is no thickness, and no margin. */
bool reha_muscle_well_in_belly(const reha_muscle_measurement *belly, reha_point_px at, double margin);

#endif

/* Label files of others: YOLO lines and COCO documents (the first byte says which). What is read lies inside
 * of its picture and belongs to a class that there is; each picture's boxes are a range of their own. */
#include "base/json.h"
#include "base/memory.h"
#include "recognition/fracture_data_priv.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PICTURES = 3 };

static void demand(int condition)
{
    if (!condition) {
        abort();
    }
}

static void check_boxes(const reha_fracture_data *data)
{
    size_t told = 0;
    for (size_t i = 0; i < data->image_count; i++) {
        demand(data->images[i].first_box == told);
        told += data->images[i].box_count;
    }
    demand(told == data->box_count);
    for (size_t i = 0; i < data->box_count; i++) {
        const reha_fracture_box *box = &data->boxes[i];
        demand(box->edges.x0 >= 0.0 && box->edges.x1 > box->edges.x0 && box->edges.x1 <= 1.0);
        demand(box->edges.y0 >= 0.0 && box->edges.y1 > box->edges.y0 && box->edges.y1 <= 1.0);
        demand(box->class_idx >= 0 && box->class_idx < data->class_count);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char names[PICTURES][16] = {"a.png", "b.jpg", "sub/c.png"};
    reha_fracture_image images[PICTURES] = {{.path = names[0]}, {.path = names[1]}, {.path = names[2]}};
    reha_fracture_data set = {.images = images, .image_count = PICTURES, .class_count = 4};
    reha_error err = REHA_ERROR_INIT;
    const size_t blocks = reha_mem_live_blocks();
    reha_status status = REHA_OK;
    if (size < 1) {
        return 0;
    }
    if (data[0] == 'Y') {
        char *text = reha_strndup((const char *)data + 1, size - 1);
        size_t capacity = 0;
        status = reha_fracture_parse_yolo_(&set, &capacity, &images[0], text, -1, &err);
        images[1].first_box = images[2].first_box = set.box_count;
        reha_free(text);
    } else {
        json_t *document = NULL;
        status = reha_json_parse((const char *)data + 1, size - 1, &document, &err);
        if (status == REHA_OK) {
            status = reha_fracture_parse_coco_(&set, document, &err);
        }
        json_decref(document);
    }
    if (status == REHA_OK) {
        check_boxes(&set);
    } else {
        demand(err.text[0] != '\0' && err.status == status && reha_status_is_input_fault(status));
    }
    reha_free(set.boxes);
    demand(reha_mem_live_blocks() == blocks);
    return 0;
}

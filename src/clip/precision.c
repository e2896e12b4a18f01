/*
 * precision.c - precisions by name
 */
#include "clip/precision.h"

static const char *const names[] = {[PN_CLIP_EXACT] = "exact",
                                    [PN_CLIP_F32] = "f32",
                                    [PN_CLIP_F16] = "f16",
                                    [PN_CLIP_BF16] = "bf16",
                                    [PN_CLIP_INT8] = "int8"};

const char *pn_clip_precision_name(pn_clip_precision precision)
{
    return names[precision];
}

bool pn_clip_precision_parse(pn_str text, pn_clip_precision *out)
{
    for (size_t i = 0; i < PN_COUNT_OF(names); i++)
        if (pn_str_equal(text, pn_str_of(names[i]))) {
            *out = (pn_clip_precision)i;
            return true;
        }
    return false;
}

/*
 * how_many.c - a number out of the environment
 */
#include "support/how_many.h"

#include <stdlib.h>

uint64_t how_many(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

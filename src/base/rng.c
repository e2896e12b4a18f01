/*
 * rng.c - the normal distribution by Box and Muller (1958)
 */
#include "base/rng.h"

#include <math.h>

double pn_rng_normal(pn_rng *rng)
{
    double u = 1.0 - pn_rng_unit(rng); // never 0: its logarithm is taken
    double v = pn_rng_unit(rng);
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

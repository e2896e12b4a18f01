/*
 * eigen.h - the axes of a covariance
 */
#ifndef PN_INDEX_EIGEN_H
#define PN_INDEX_EIGEN_H

#include "base/status.h"

/*
 * Eigenvalues and eigenvectors of a symmetric matrix of finite numbers, greatest first.
 *
 * a        [n][n], destroyed
 * values   [n]; vectors [n][n], row i belongs to values[i], unit length, its largest component positive
 *
 * Errors of values are some 1e-15 of the largest: a matrix without negative eigenvalues may get tiny ones.
 * Cost: about 8 n^3 operations; n = 512 takes 0.2 s. Errors: NOMEM.
 */
PN_NODISCARD pn_status pn_eigen_symmetric(double *a, size_t n, double *values, double *vectors,
                                          pn_error *err);

/* The lower triangle L of a = L L^T, in place, zeros above it. False when a is not positive definite. */
bool pn_cholesky(double *a, size_t n);

#endif

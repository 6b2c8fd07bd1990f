/* statistics.c: rows of samples, and their quantiles. */
#include <stdlib.h>
#include <string.h>

#include "runner.h"

double *new_row(samples *all) {
    if (all->count == all->room) {
        all->room = all->room ? 2 * all->room : 64;
        all->values = realloc(all->values, (size_t)(all->room * all->width) * sizeof(double));
        if (!all->values) fail(FAILED, "not enough memory");
    }
    double *row = all->values + all->count++ * all->width;
    memset(row, 0, (size_t)all->width * sizeof(double));
    return row;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The quantile `part` of sorted samples, interpolated linearly between two samples, as numpy.percentile does. */
static double quantile(const double *sorted, long count, double part) {
    double at = part * (double)(count - 1);
    long below = (long)at;
    if (below + 1 >= count) return sorted[count - 1];
    return sorted[below] + (at - (double)below) * (sorted[below + 1] - sorted[below]);
}

statistics summarize(const samples *all, long column) {
    statistics result = {0};
    if (!all->count) return result;
    double *values = allocate((uint64_t)all->count * sizeof(double));
    for (long i = 0; i < all->count; i++) values[i] = all->values[i * all->width + column];
    qsort(values, (size_t)all->count, sizeof(double), ascending);
    result = (statistics){values[0], quantile(values, all->count, 0.1), quantile(values, all->count, 0.5),
                          quantile(values, all->count, 0.9)};
    free(values);
    return result;
}

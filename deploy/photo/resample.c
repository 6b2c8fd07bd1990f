/* resample.c: bilinear resampling whose support grows with the shrinking, in fixed point: the bytes that Pillow's
 * BILINEAR gives. docs/artifact.md has the definition.
 *
 * First the rows become as wide as the result, then the columns as high. Each pass rounds to 8 bits. Only those pixels are
 * computed that the view shows, or that its pixels are made from.
 */
#include <stdlib.h>

#include "photo.h"

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF /* a product and its sum are rounded apart on every machine; gcc does so with -std=c11 */
#endif

enum { POINT = 22 }; /* bits of a weight behind the point */

/* The weights of the pixels that each of `count` pixels of the result is made from. */
typedef struct taps {
    int64_t *first;
    int *used, size;
    int32_t *weights; /* [count, size] */
} taps;

static taps make_taps(int64_t in, int64_t out, int64_t from, int count) {
    const double scale = (double)in / (double)out, support = scale < 1 ? 1 : scale, inverse = 1 / support;
    const int size = 2 * ((int)support + (support > (int)support)) + 1;
    taps made = {allocate((uint64_t)count * sizeof(int64_t)), allocate((uint64_t)count * sizeof(int)), size,
                 allocate((uint64_t)count * (uint64_t)size * sizeof(int32_t))};
    double *exact = allocate((uint64_t)size * sizeof *exact);
    for (int i = 0; i < count; i++) {
        const double center = ((double)(from + i) + 0.5) * scale;
        int64_t first = (int64_t)(center - support + 0.5), last = (int64_t)(center + support + 0.5);
        if (first < 0) first = 0;
        if (last > in) last = in;
        double sum = 0;
        for (int k = 0; k < (int)(last - first); k++) {
            double distance = ((double)(k + first) - center + 0.5) * inverse;
            if (distance < 0) distance = -distance;
            exact[k] = distance < 1 ? 1 - distance : 0;
            sum += exact[k];
        }
        made.first[i] = first;
        made.used[i] = (int)(last - first);
        for (int k = 0; k < made.used[i]; k++)
            made.weights[(size_t)i * (size_t)size + (size_t)k] =
                (int32_t)(0.5 + (sum != 0 ? exact[k] / sum : exact[k]) * (1 << POINT));
    }
    free(exact);
    return made;
}

static void free_taps(taps *of) {
    free(of->first);
    free(of->used);
    free(of->weights);
}

static uint8_t rounded(int32_t sum) {
    sum = (sum + (1 << (POINT - 1))) >> POINT;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

/* The columns of the view, of `rows` rows from row `top` on. */
static image resample_rows(const image *from, const view *seen, int64_t top, int rows) {
    const int channels = from->channels;
    image made = {seen->width, rows, channels, allocate((uint64_t)seen->width * (uint64_t)rows * (uint64_t)channels)};
    taps across = make_taps(from->width, seen->full_width, seen->left, seen->width);
    uint8_t *to = made.pixels;
    for (int y = 0; y < rows; y++) {
        const uint8_t *row = from->pixels + ((size_t)top + (size_t)y) * (size_t)from->width * (size_t)channels;
        for (int x = 0; x < seen->width; x++, to += channels) {
            const int32_t *weights = across.weights + (size_t)x * (size_t)across.size;
            const uint8_t *pixel = row + (size_t)across.first[x] * (size_t)channels;
            int32_t sums[3] = {0};
            for (int k = 0; k < across.used[x]; k++, pixel += channels)
                for (int c = 0; c < channels; c++) sums[c] += pixel[c] * weights[k];
            for (int c = 0; c < channels; c++) to[c] = rounded(sums[c]);
        }
    }
    free_taps(&across);
    return made;
}

/* The rows of the view, from `narrow`, whose first row is row `top` of the image. */
static image resample_columns(const image *narrow, const taps *down, int64_t top, int height) {
    const size_t values = (size_t)narrow->width * (size_t)narrow->channels;
    image made = {narrow->width, height, narrow->channels, allocate(values * (uint64_t)height)};
    int32_t *sums = allocate(values * sizeof *sums);
    for (int y = 0; y < height; y++) {
        for (size_t i = 0; i < values; i++) sums[i] = 0;
        for (int k = 0; k < down->used[y]; k++) {
            const uint8_t *row = narrow->pixels + (size_t)(down->first[y] - top + k) * values;
            const int32_t weight = down->weights[(size_t)y * (size_t)down->size + (size_t)k];
            for (size_t i = 0; i < values; i++) sums[i] += row[i] * weight;
        }
        for (size_t i = 0; i < values; i++) made.pixels[(size_t)y * values + i] = rounded(sums[i]);
    }
    free(sums);
    return made;
}

image resample(const image *from, const view *seen) {
    taps down = make_taps(from->height, seen->full_height, seen->top, seen->height);
    const int64_t top = down.first[0], end = down.first[seen->height - 1] + down.used[seen->height - 1];
    image narrow = resample_rows(from, seen, top, (int)(end - top));
    image made = resample_columns(&narrow, &down, top, seen->height);
    free_image(&narrow);
    free_taps(&down);
    return made;
}

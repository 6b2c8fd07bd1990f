/* jpeg_block.c: the inverse DCT of a block, in integers: the factorization of Loeffler, Ligtenberg and Moschytz (ICASSP
 * 1989) with 11 multiplications, in the fixed point that libjpeg calls "islow", so that the bytes are those of Pillow.
 */
#include "photo.h"

enum { POINT = 13, EXTRA = 2 }; /* bits behind the point of a factor, and kept of a value between the passes */

static uint32_t fixed(double factor) { return (uint32_t)(factor * (1 << POINT) + 0.5); }

static int32_t rounded(uint32_t value, int bits) { return (int32_t)(value + (1u << (bits - 1))) >> bits; }

/* Eight coefficients become eight values, `bits` of which are cut off, rounded. They are `step` apart, in and out. What
 * damaged files overflow wraps around, so the sums are unsigned. */
static void one_line(const int32_t *in, int32_t *out, int step, int bits) {
    if (!(in[step] | in[2 * step] | in[3 * step] | in[4 * step] | in[5 * step] | in[6 * step] | in[7 * step])) {
        for (int i = 0; i < 8; i++) out[i * step] = rounded((uint32_t)in[0] << POINT, bits); /* as most lines are */
        return;
    }
    const uint32_t second = in[2 * step], sixth = in[6 * step], first = in[0], fourth = in[4 * step];
    const uint32_t shared = (second + sixth) * fixed(0.541196100);
    const uint32_t low = shared - sixth * fixed(1.847759065), high = shared + second * fixed(0.765366865);
    const uint32_t sum = (first + fourth) << POINT, difference = (first - fourth) << POINT;
    const uint32_t even[4] = {sum + high, difference + low, difference - low, sum - high};

    const uint32_t a = in[7 * step], b = in[5 * step], c = in[3 * step], d = in[step];
    const uint32_t all = (a + b + c + d) * fixed(1.175875602);
    const uint32_t ad = (a + d) * fixed(0.899976223), bc = (b + c) * fixed(2.562915447);
    const uint32_t ac = all - (a + c) * fixed(1.961570560), bd = all - (b + d) * fixed(0.390180644);
    const uint32_t odd[4] = {d * fixed(1.501321110) - ad + bd, c * fixed(3.072711026) - bc + ac,
                             b * fixed(2.053119869) - bc + bd, a * fixed(0.298631336) - ad + ac};
    for (int i = 0; i < 4; i++) {
        out[i * step] = rounded(even[i] + odd[i], bits);
        out[(7 - i) * step] = rounded(even[i] - odd[i], bits);
    }
}

void jpeg_block(uint8_t *out, int stride, short coefficients[64]) {
    int32_t in[64], columns[64], rows[64];
    for (int i = 0; i < 64; i++) in[i] = coefficients[i];
    for (int x = 0; x < 8; x++) one_line(in + x, columns + x, 8, POINT - EXTRA);
    for (int y = 0; y < 8; y++) one_line(columns + 8 * y, rows + 8 * y, 1, POINT + EXTRA + 3);
    for (int i = 0; i < 64; i++) {
        int32_t value = rows[i] + 128;
        out[i / 8 * stride + i % 8] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
    }
}

/* read_pnm.c: PPM and PGM files (netpbm.sourceforge.net/doc/ppm.html), binary (P6, P5) and plain (P3, P2). */
#include "photo.h"

typedef struct reader {
    bytes file;
    size_t at;
} reader;

static int is_space(int byte) { return byte == ' ' || (byte >= '\t' && byte <= '\r'); }

/* The next number behind white space and comments, which go from # to the end of the line; -1 where there is none. */
static long next_number(reader *from) {
    const bytes file = from->file;
    size_t at = from->at;
    while (at < file.count && (is_space(file.at[at]) || file.at[at] == '#')) {
        if (file.at[at] == '#')
            while (at < file.count && file.at[at] != '\n' && file.at[at] != '\r') at++;
        else
            at++;
    }
    long value = at < file.count && file.at[at] >= '0' && file.at[at] <= '9' ? 0 : -1;
    for (; at < file.count && file.at[at] >= '0' && file.at[at] <= '9' && value < 1 << 24; at++)
        value = value * 10 + (file.at[at] - '0');
    from->at = at;
    return value;
}

/* A value in 8 bits. Gray of more than 8 bits is rounded in integers, as decode_image.py does; all else is rounded with
 * halves to even, as Pillow does. */
static uint8_t scaled(long value, long most, int gray) {
    if (value > most) value = most;
    if (gray && most > 255) { /* by way of 16 bits */
        double wide = (double)value / (double)most * 65535;
        long whole = (long)wide;
        whole += wide - (double)whole > 0.5 || (wide - (double)whole == 0.5 && whole & 1);
        return (uint8_t)((whole * 255 + 32767) / 65535);
    }
    double exact = (double)value / (double)most * 255;
    long whole = (long)exact;
    return (uint8_t)(whole + (exact - (double)whole > 0.5 || (exact - (double)whole == 0.5 && whole & 1)));
}

const char *read_pnm(bytes file, image *into) {
    const int kind = file.at[1] - '0', gray = kind == 2 || kind == 5, plain = kind < 4;
    reader from = {file, 2};
    long width = next_number(&from), height = next_number(&from), most = next_number(&from);
    if (width < 1 || height < 1 || most < 1 || most > 65535 || from.at >= file.count || !is_space(file.at[from.at]))
        return image_error("the head of this PPM or PGM file is damaged");
    if ((int64_t)width * height > MOST_PIXELS) return image_error("%ldx%ld pixels are too many", width, height);
    from.at++;
    const size_t count = (size_t)width * (size_t)height * (gray ? 1 : 3), wide = most > 255 ? 2 : 1;
    if (file.count - from.at < count * wide) return image_error("this PPM or PGM file ends early: copy it again");
    *into = (image){(int)width, (int)height, gray ? 1 : 3, allocate(count)};
    for (size_t i = 0; i < count; i++) {
        const uint8_t *raw = file.at + from.at + i * wide;
        long value = plain ? next_number(&from) : wide == 2 ? (long)raw[0] << 8 | raw[1] : raw[0];
        if (value < 0) {
            free_image(into);
            return image_error("this PPM or PGM file ends early, or has something else among its numbers");
        }
        into->pixels[i] = most == 255 ? (uint8_t)(value > 255 ? 255 : value) : scaled(value, most, gray);
    }
    return NULL;
}

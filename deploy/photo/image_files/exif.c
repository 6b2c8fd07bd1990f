/* exif.c: how a camera was held, from EXIF data (EXIF 2.3, section 4.6.4) or from a packet of XMP. */
#include <stdlib.h>
#include <string.h>

#include "photo.h"

enum { ORIENTATION = 274, BYTE = 1, SHORT = 3, LONG = 4 };

typedef struct tiff {
    bytes data;
    int big_endian;
} tiff;

/* The number of `count` bytes at an offset; 0 beyond the data. */
static uint32_t number_at(const tiff *of, size_t offset, int count) {
    uint32_t value = 0;
    if (offset > of->data.count || (size_t)count > of->data.count - offset) return 0;
    for (int i = 0; i < count; i++) value = value << 8 | of->data.at[offset + (size_t)(of->big_endian ? i : count - 1 - i)];
    return value;
}

int exif_orientation(bytes exif) {
    if (exif.count < 8 || (memcmp(exif.at, "II", 2) && memcmp(exif.at, "MM", 2))) return 0;
    const tiff file = {exif, exif.at[0] == 'M'};
    size_t directory = number_at(&file, 4, 4);
    uint32_t entries = number_at(&file, directory, 2);
    for (uint32_t i = 0; i < entries; i++) {
        size_t entry = directory + 2 + 12 * (size_t)i;
        if (number_at(&file, entry, 2) != ORIENTATION) continue;
        uint32_t type = number_at(&file, entry + 2, 2);
        return (int)(type == SHORT ? number_at(&file, entry + 8, 2)
                     : type == LONG ? number_at(&file, entry + 8, 4) & 255
                     : type == BYTE ? number_at(&file, entry + 8, 1) : 0);
    }
    return 0;
}

int xmp_orientation(bytes packet) {
    static const char name[] = "tiff:Orientation";
    const size_t length = sizeof name - 1;
    for (size_t at = 0; at + length + 3 <= packet.count; at++) {
        if (memcmp(packet.at + at, name, length)) continue;
        const uint8_t *behind = packet.at + at + length;
        int skip = behind[0] == '>' ? 1 : behind[0] == '=' && behind[1] == '"' ? 2 : 0;
        if (skip && behind[skip] >= '0' && behind[skip] <= '9') return behind[skip] - '0';
    }
    return 0;
}

/* Where the pixel at (x, y) of the upright image is in the image as it was stored. */
static size_t source_of(int orientation, int x, int y, int width, int height) {
    int across = orientation >= 5 ? y : x, down = orientation >= 5 ? x : y; /* 5 to 8 lie on their side */
    if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8) across = width - 1 - across;
    if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7) down = height - 1 - down;
    return (size_t)down * (size_t)width + (size_t)across;
}

void put_upright(image *turned, int orientation) {
    if (orientation < 2 || orientation > 8) return;
    const int on_side = orientation >= 5, channels = turned->channels;
    image upright = {on_side ? turned->height : turned->width, on_side ? turned->width : turned->height, channels, NULL};
    uint8_t *to = upright.pixels = allocate((uint64_t)upright.width * (uint64_t)upright.height * (uint64_t)channels);
    for (int y = 0; y < upright.height; y++)
        for (int x = 0; x < upright.width; x++, to += channels)
            memcpy(to, turned->pixels + source_of(orientation, x, y, turned->width, turned->height) * (size_t)channels,
                   (size_t)channels);
    free_image(turned);
    *turned = upright;
}

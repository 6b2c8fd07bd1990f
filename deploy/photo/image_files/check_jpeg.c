/* check_jpeg.c: the segments of a JPEG file, for its orientation, and up to its end: the decoder takes what is missing of
 * a file that was cut short for gray. */
#include <string.h>

#include "photo.h"

enum { START_OF_SCAN = 0xDA, END = 0xD9, APP1 = 0xE1 };
static const char exif_name[6] = "Exif\0", xmp_name[] = "http://ns.adobe.com/xap/1.0/";

/* Whether a segment with this marker is nothing but the marker. */
static int stands_alone(int marker) { return marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8); }

static void read_app1(bytes segment, int *exif, int *xmp) {
    if (segment.count >= sizeof exif_name && !memcmp(segment.at, exif_name, sizeof exif_name)) {
        if (!*exif) *exif = exif_orientation((bytes){segment.at + sizeof exif_name, segment.count - sizeof exif_name});
    } else if (segment.count >= sizeof xmp_name && !memcmp(segment.at, xmp_name, sizeof xmp_name)) {
        *xmp = xmp_orientation((bytes){segment.at + sizeof xmp_name, segment.count - sizeof xmp_name});
    }
}

/* The next marker at or behind `at`, where it stands in `found`: 0xFF and a byte that is neither 0 nor 0xFF. */
static int next_marker(bytes file, size_t at, size_t *found) {
    for (; at + 1 < file.count; at++) {
        if (file.at[at] != 0xFF || file.at[at + 1] == 0 || file.at[at + 1] == 0xFF) continue;
        *found = at;
        return file.at[at + 1];
    }
    return 0;
}

const char *check_jpeg(bytes file, int *orientation) {
    size_t at = 2;
    int marker, exif = 0, xmp = 0, scans = 0;
    while ((marker = next_marker(file, at, &at)) && marker != END) {
        at += 2;
        if (stands_alone(marker)) continue;
        size_t length = at + 1 < file.count ? (size_t)file.at[at] << 8 | file.at[at + 1] : 0;
        if (length < 2 || length > file.count - at) break;
        if (marker == APP1) read_app1((bytes){file.at + at + 2, length - 2}, &exif, &xmp);
        scans += marker == START_OF_SCAN;
        at += length;
    }
    *orientation = exif ? exif : xmp;
    return marker == END && scans ? NULL : image_error("this JPEG file ends early: copy it again");
}

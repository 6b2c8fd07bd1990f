/* huffman_tables.c: JPEG files that leave out the Huffman tables and mean the usual ones, as most frames of Motion JPEG
 * do. stb_image would take their data for gray. */
#include <string.h>

#include "photo.h"

/* ITU-T T.81, annex K.3: each table has its class and number, how many codes there are of each length, and the values. */
static const uint8_t usual[] = {
    /* DC of luma */
    0, 0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6,
    7, 8, 9, 10, 11,
    /* AC of luma */
    16, 0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125, 1, 2, 3, 0, 4, 17, 5,
    18, 33, 49, 65, 6, 19, 81, 97, 7, 34, 113, 20, 50, 129, 145, 161, 8, 35, 66, 177, 193, 21, 82, 209,
    240, 36, 51, 98, 114, 130, 9, 10, 22, 23, 24, 25, 26, 37, 38, 39, 40, 41, 42, 52, 53, 54, 55, 56,
    57, 58, 67, 68, 69, 70, 71, 72, 73, 74, 83, 84, 85, 86, 87, 88, 89, 90, 99, 100, 101, 102, 103, 104,
    105, 106, 115, 116, 117, 118, 119, 120, 121, 122, 131, 132, 133, 134, 135, 136, 137, 138, 146, 147, 148, 149, 150, 151,
    152, 153, 154, 162, 163, 164, 165, 166, 167, 168, 169, 170, 178, 179, 180, 181, 182, 183, 184, 185, 186, 194, 195, 196,
    197, 198, 199, 200, 201, 202, 210, 211, 212, 213, 214, 215, 216, 217, 218, 225, 226, 227, 228, 229, 230, 231, 232, 233,
    234, 241, 242, 243, 244, 245, 246, 247, 248, 249, 250,
    /* DC of color */
    1, 0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6,
    7, 8, 9, 10, 11,
    /* AC of color */
    17, 0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 119, 0, 1, 2, 3, 17, 4, 5,
    33, 49, 6, 18, 65, 81, 7, 97, 113, 19, 34, 50, 129, 8, 20, 66, 145, 161, 177, 193, 9, 35, 51, 82,
    240, 21, 98, 114, 209, 10, 22, 36, 52, 225, 37, 241, 23, 24, 25, 26, 38, 39, 40, 41, 42, 53, 54, 55,
    56, 57, 58, 67, 68, 69, 70, 71, 72, 73, 74, 83, 84, 85, 86, 87, 88, 89, 90, 99, 100, 101, 102, 103,
    104, 105, 106, 115, 116, 117, 118, 119, 120, 121, 122, 130, 131, 132, 133, 134, 135, 136, 137, 138, 146, 147, 148, 149,
    150, 151, 152, 153, 154, 162, 163, 164, 165, 166, 167, 168, 169, 170, 178, 179, 180, 181, 182, 183, 184, 185, 186, 194,
    195, 196, 197, 198, 199, 200, 201, 202, 210, 211, 212, 213, 214, 215, 216, 217, 218, 226, 227, 228, 229, 230, 231, 232,
    233, 234, 242, 243, 244, 245, 246, 247, 248, 249, 250,
};

/* Where the first scan begins, or 0 where a Huffman table stands before it or there is no scan. */
static size_t scan_without_tables(bytes file) {
    size_t at = 2;
    while (at + 4 <= file.count && file.at[at] == 0xFF) {
        int marker = file.at[at + 1];
        if (marker == 0xC4) return 0;
        if (marker == 0xDA) return at;
        at += marker == 0xFF ? 1 : 2 + ((size_t)file.at[at + 2] << 8 | file.at[at + 3]);
    }
    return 0;
}

bytes with_tables(bytes file, uint8_t **added) {
    const size_t scan = scan_without_tables(file), length = sizeof usual + 2;
    const uint8_t head[] = {0xFF, 0xC4, (uint8_t)(length >> 8), (uint8_t)length};
    if (!scan) return file;
    uint8_t *whole = *added = allocate((uint64_t)file.count + sizeof head + sizeof usual);
    memcpy(whole, file.at, scan);
    memcpy(whole + scan, head, sizeof head);
    memcpy(whole + scan + sizeof head, usual, sizeof usual);
    memcpy(whole + scan + sizeof head + sizeof usual, file.at + scan, file.count - scan);
    return (bytes){whole, file.count + sizeof head + sizeof usual};
}

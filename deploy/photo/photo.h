/* photo.h: from photos, frames and cameras to the input of a network.
 *
 * Functions that return `const char *` return NULL where all went well, and else what is wrong, in words that follow the
 * name of the file. The text is static, or in a buffer that the next failure overwrites.
 */
#ifndef PHOTO_H
#define PHOTO_H

#include "runner.h"

/* Pixels in rows, `channels` bytes each: 1 for gray, 3 for red, green and blue. Free it with free_image. */
typedef struct image {
    int width, height, channels;
    uint8_t *pixels;
} image;
/* image.c */
void free_image(image *of);
enum { MOST_PIXELS = 178956970 }; /* of one image, as many as Pillow takes */

/* The text of an error, in the one buffer that all parts share. */
__attribute__((format(printf, 1, 2))) const char *image_error(const char *format, ...);

/* The whole content of a file or of memory. */
typedef struct bytes {
    const uint8_t *at;
    size_t count;
} bytes;

/* decode_image.c: the image of a JPEG, PNG, PPM or PGM file: upright, 8 bits per channel, on white where it is
 * transparent, as b2nn_tvm/data/image_files/decode_image.py gives it. */
const char *decode_image(bytes file, image *into);
/* Read the file at `path` and decode it. */
const char *read_image(const char *path, image *into);
/* Whether the first bytes are those of a format that decode_image reads. */
int is_image(bytes start);

/* check_jpeg.c, check_png.c: what the decoder does not look at. They say whether a file is whole, and write its
 * orientation in the numbers of EXIF, 1 to 8. */
const char *check_jpeg(bytes file, int *orientation);
const char *check_png(bytes file, int *orientation);
/* exif.c: the orientation that EXIF data (a TIFF header with its first directory) or a packet of XMP states, 0 if none. */
int exif_orientation(bytes exif);
int xmp_orientation(bytes packet);
/* Turn an image as its orientation says. */
void put_upright(image *turned, int orientation);

/* read_pnm.c: a PPM or PGM file, binary or plain, of any maximum up to 65535. */
const char *read_pnm(bytes file, image *into);

/* gray.c: the luminance of color pixels, as Pillow's mode L; and gray as three equal channels. */
void make_gray(image *of);
void make_color(image *of);

/* resample.c: a part of what an image is in another size: `width` x `height` pixels from (left, top) on of the image
 * resized to `full_width` x `full_height`. */
typedef struct view {
    int64_t full_width, full_height, left, top;
    int width, height;
} view;
image resample(const image *from, const view *seen);

/* read_json.c: a text of JSON. Values are pointers to their first character; the whole text must have been checked. */
int json_is_valid(const char *text);
/* The value of a member of an object, NULL where there is none or `object` is none. */
const char *json_member(const char *object, const char *name);
/* The first element of an array, and the one after `element`; NULL behind the last. */
const char *json_first(const char *array);
const char *json_next(const char *element);
/* A string, in memory that the caller frees; NULL where the value is none. */
char *json_text(const char *value);
int json_equals(const char *value, const char *text);
/* Whether the value is a number, which goes to `number`. */
int json_number(const char *value, double *number);

/* preprocess.c: how an image becomes the input, as the member `preprocess` of the manifest says. */
enum { STRETCH, SHORTER, NO_RESIZE };
enum { RGB, BGR, GRAY };
typedef struct preprocess {
    int resize, channels, baked;
    int64_t height, width, crop_height, crop_width;
    float mean[3], std[3];
} preprocess;
/* Read the member; says what is wrong with it. */
const char *read_preprocess(const char *value, preprocess *into);
/* What an image of this size shows to the network; says why it does not fit. */
const char *find_view(const preprocess *how, int width, int height, view *into);
/* Write the input: float32 NCHW, or uint8 NHWC where the library normalizes. The image is changed. */
const char *fill_input(const preprocess *how, image *from, void *input);

/* read_manifest.c: what the manifest beside the library says of photos; exits where it says nothing of them. */
typedef struct meaning {
    preprocess how;
    const char **labels; /* NULL where there are none */
    long label_count;
} meaning;
meaning read_meaning(const net *of, const char *library, const char *for_what);
void free_meaning(meaning *of);

/* list_photos.c: the photos that paths name: files, and the images in folders in the order of their names. */
typedef struct photo_list {
    char **paths;
    long count;
} photo_list;
photo_list list_photos(const char *const *paths, long count);
/* Whether a path that stands in the place of the library is one of a photo, or of a folder of them. */
int names_photos(const char *path);

/* frames.c: raw frames. */
enum { RGB24, BGR24, YUYV, GRAY8 };
typedef struct frame_format {
    int width, height, format;
} frame_format;
/* Read a word like 640x480:yuyv; exits for wrong usage. */
frame_format parse_frames(const char *option, const char *word);
size_t frame_bytes(const frame_format *of);
/* A frame as an image. */
image frame_image(const frame_format *of, const uint8_t *pixels);
/* Read the next frame of stdin: 1, 0 at the end, or -1 where it ends within a frame or was interrupted. */
int read_frame(const frame_format *of, uint8_t *into, size_t *got);

/* huffman_tables.c: a JPEG file with the usual Huffman tables where it has none; `added` is then new memory. */
bytes with_tables(bytes file, uint8_t **added);

/* stb.c: the planes of a JPEG file: `width` x `height` samples in rows of `stride`; `h` of them lie over `most_h` pixels
 * across, and `v` over `most_v` down. Close them with close_jpeg where they were read. */
typedef struct jpeg_plane {
    int width, height, stride, most_h, h, most_v, v;
    const uint8_t *samples;
} jpeg_plane;
typedef struct jpeg_planes {
    struct jpeg_file *file;
    int width, height, count, is_rgb, is_ycck; /* how 3 and 4 planes are colors */
    jpeg_plane planes[4];
} jpeg_planes;
const char *read_jpeg(bytes file, jpeg_planes *into);
void close_jpeg(jpeg_planes *of);
/* jpeg_block.c: 64 samples of 64 coefficients; jpeg_colors.c: the planes as pixels. */
void jpeg_block(uint8_t *out, int stride, short coefficients[64]);
image jpeg_pixels(const jpeg_planes *of);

/* camera.c: a V4L2 camera. */
typedef struct camera camera;
camera *open_camera(const char *path);
/* The newest frame; 0 where it was interrupted. Exits where the camera fails. */
int next_picture(camera *from, image *into);
void close_camera(camera *from);

/* classify_photos.c: photos, frames or a camera's pictures in, names out; returns how many could not be read. */
long classify_photos(const instance *made, const command_line *given);
/* Fill the input with the one photo of the command line; exits where it does not fit. */
void fill_from_photo(const instance *made, const command_line *given);

#endif

/* stb.c: the third-party decoder of JPEG and PNG files, in a translation unit of its own (third_party/stb/README.md).
 *
 * Of JPEG files it reads the coefficients. jpeg_block.c and jpeg_colors.c make pixels of them, as libjpeg-turbo does.
 */
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#define STB_IMAGE_IMPLEMENTATION
#include "stb_image.h"

#include "photo.h"

struct jpeg_file {
    stbi__context context;
    stbi__jpeg jpeg;
};

void close_jpeg(jpeg_planes *of) {
    stbi__cleanup_jpeg(&of->file->jpeg);
    free(of->file);
}

const char *read_jpeg(bytes file, jpeg_planes *into) {
    struct jpeg_file *open = allocate(sizeof *open);
    stbi__jpeg *jpeg = &open->jpeg;
    *into = (jpeg_planes){.file = open};
    stbi__start_mem(&open->context, file.at, (int)file.count);
    jpeg->s = &open->context;
    stbi__setup_jpeg(jpeg);
    jpeg->idct_block_kernel = jpeg_block;
    if (!stbi__decode_jpeg_image(jpeg)) {
        close_jpeg(into);
        return image_error("not a readable image (%s)", stbi_failure_reason());
    }
    into->width = (int)open->context.img_x;
    into->height = (int)open->context.img_y;
    into->count = open->context.img_n;
    into->is_rgb = jpeg->rgb == 3 || (jpeg->app14_color_transform == 0 && !jpeg->jfif);
    into->is_ycck = jpeg->app14_color_transform == 2;
    for (int i = 0; i < into->count; i++)
        into->planes[i] = (jpeg_plane){jpeg->img_comp[i].x, jpeg->img_comp[i].y, jpeg->img_comp[i].w2,
                                       jpeg->img_h_max, jpeg->img_comp[i].h, jpeg->img_v_max, jpeg->img_comp[i].v,
                                       jpeg->img_comp[i].data};
    return NULL;
}

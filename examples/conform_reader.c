/* Answers for Q4_0 in an export of `assay conform export DIR`: conform_reader DIR. Little-endian machines. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>

static float half(uint16_t h) {
  const int exponent = h >> 10 & 31, mantissa = h & 1023;
  const float x = exponent == 0    ? ldexpf((float)mantissa, -24)
                  : exponent == 31 ? (mantissa ? NAN : INFINITY)
                                   : ldexpf((float)(mantissa | 1024), exponent - 25);
  return h >> 15 ? -x : x;
}

int main(int argc, char** argv) {
  char path[4096];
  if (argc != 2) return 2;
  snprintf(path, sizeof path, "%s/Q4_0.blocks", argv[1]);
  FILE* const blocks = fopen(path, "rb");
  snprintf(path, sizeof path, "%s/Q4_0.answer.f32", argv[1]);
  FILE* const answer = fopen(path, "wb");
  if (!blocks || !answer) return 2;
  uint8_t b[18]; /* f16 d, 16 bytes: weight j in the low nibble of byte j, weight j + 16 in the high one */
  while (fread(b, sizeof b, 1, blocks) == 1) {
    const float d = half((uint16_t)(b[0] | b[1] << 8));
    float w[32];
    for (int j = 0; j < 16; ++j) {
      w[j] = d * (float)((b[2 + j] & 15) - 8);
      w[j + 16] = d * (float)((b[2 + j] >> 4) - 8);
    }
    fwrite(w, sizeof w, 1, answer);
  }
  fclose(blocks);
  return fclose(answer) != 0;
}

/* trainer: stochastic gradient descent in integers. The arithmetic is written down in reference.py. */
#include "guest.h"

enum { PIXELS = 64, CLASSES = 10, TRAINING = 997, VALIDATION = 300, RECORD = 1 + PIXELS };
enum { MAX_HIDDEN = 64, MAX_WEIGHTS = MAX_HIDDEN * (PIXELS + 1 + CLASSES) + CLASSES };
enum { ONE = 1 << 12, LARGEST_ACTIVATION = 32767, LARGEST_WEIGHT = (1 << 23) - 1 };

/* Records of a label and its pixels, 0 to 16: those to train on, then those to validate with. */
static const u8 IMAGES[(TRAINING + VALIDATION) * RECORD] = {
#embed "images.bin"
};

static u8 input[8];
static i32 output[1 + MAX_WEIGHTS];
static i32 *hidden_weight, *hidden_bias, *class_weight, *class_bias;
static i32 activation[MAX_HIDDEN], logit[CLASSES];
static u32 order[TRAINING];
static u32 units, state;

static u32 draw(void) {
  state ^= state << 13, state ^= state >> 17, state ^= state << 5;
  return state;
}

static void start(u32 hidden, u32 seed) {
  units = hidden, state = seed;
  hidden_weight = output + 1;
  hidden_bias = hidden_weight + units * PIXELS;
  class_weight = hidden_bias + units;
  class_bias = class_weight + CLASSES * units;
  for (u32 i = 0; i < units * PIXELS; i++) hidden_weight[i] = (i32)(draw() >> 14) - (1 << 17);
  for (u32 i = 0; i < CLASSES * units; i++) class_weight[i] = (i32)(draw() >> 14) - (1 << 17);
  for (u32 i = 0; i < TRAINING; i++) order[i] = i;
}

static void shuffle(void) {
  for (u32 i = TRAINING - 1; i > 0; i--) {
    u32 j = draw() % (i + 1), kept = order[i];
    order[i] = order[j], order[j] = kept;
  }
}

static void forward(const u8 *pixel) {
  for (u32 j = 0; j < units; j++) {
    const i32 *row = hidden_weight + j * PIXELS;
    i32 sum = (hidden_bias[j] >> 8) * 16;
    for (u32 i = 0; i < PIXELS; i++) sum += (row[i] >> 8) * pixel[i];
    sum >>= 4;
    activation[j] = sum < 0 ? 0 : sum > LARGEST_ACTIVATION ? LARGEST_ACTIVATION : sum;
  }
  for (u32 k = 0; k < CLASSES; k++) {
    const i32 *row = class_weight + k * units;
    i64 sum = 0;
    for (u32 j = 0; j < units; j++) sum += (i64)(row[j] >> 8) * activation[j];
    logit[k] = (class_bias[k] >> 8) + (i32)(sum >> 12);
  }
}

static void add(i32 *weight, i32 change) {
  i32 sum = *weight + change;
  *weight = sum > LARGEST_WEIGHT ? LARGEST_WEIGHT : sum < -LARGEST_WEIGHT ? -LARGEST_WEIGHT : sum;
}

static void learn(const u8 *pixel, u32 label, u32 shift) {
  i32 error[CLASSES];
  forward(pixel);
  for (u32 k = 0; k < CLASSES; k++) {
    i32 missing = (k == label ? ONE : 0) - logit[k];
    error[k] = missing > ONE ? ONE : missing < -ONE ? -ONE : missing;
  }
  for (u32 j = 0; j < units; j++) {
    if (!activation[j]) continue;
    i32 slope = 0;
    for (u32 k = 0; k < CLASSES; k++) {
      i32 *weight = class_weight + k * units + j;
      slope += error[k] * (*weight >> 8);
      add(weight, error[k] * activation[j] >> (4 + shift));
    }
    slope >>= 12;
    i32 *row = hidden_weight + j * PIXELS;
    for (u32 i = 0; i < PIXELS; i++) add(row + i, slope * pixel[i] * 16 >> shift);
    add(hidden_bias + j, slope * 256 >> shift);
  }
  for (u32 k = 0; k < CLASSES; k++) add(class_bias + k, error[k] * 256 >> shift);
}

static i32 right_answers(void) {
  i32 right = 0;
  for (const u8 *record = IMAGES + TRAINING * RECORD; record < IMAGES + sizeof IMAGES; record += RECORD) {
    forward(record + 1);
    u32 best = 0;
    for (u32 k = 1; k < CLASSES; k++)
      if (logit[k] > logit[best]) best = k;
    right += best == record[0];
  }
  return right;
}

EXPORT(alloc) u8 *alloc(u32 bytes) {
  require(bytes == sizeof input);
  return input;
}

EXPORT(run) u64 run(const u8 *in, u32 bytes) {
  require(bytes == sizeof input);
  u32 hidden = in[0], shift = in[1], every = in[2], epochs = in[3], seed = load_u32(in + 4);
  require(hidden >= 1 && hidden <= MAX_HIDDEN && shift <= 12 && every >= 1 && epochs >= 1 && epochs <= 64 && seed);
  start(hidden, seed);
  for (u32 epoch = 0; epoch < epochs; epoch++) {
    u32 now = shift + epoch / every;
    shuffle();
    for (u32 i = 0; i < TRAINING; i++) {
      const u8 *record = IMAGES + order[i] * RECORD;
      learn(record + 1, record[0], now < 20 ? now : 20);
    }
  }
  output[0] = right_answers();
  return span(output, 4 * (1 + units * (PIXELS + 1 + CLASSES) + CLASSES));
}

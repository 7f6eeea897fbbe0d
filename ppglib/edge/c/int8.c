/* Operations in int8, sums in int32. Maps are (moments, channels), channels beside each other. A number stands for
   scale * (number - zero). Rows of weights are filled up with zeros to a multiple of 4, and in each four the second and
   third have changed places: then one instruction of a processor with DSP extension spreads two of them that are
   neighbours in the column. */

static int8_t clamped(int32_t value)
{
#if defined(__ARM_FEATURE_DSP)
    return __ssat(value, 8);
#else
    return value < -128 ? -128 : value > 127 ? 127 : value;
#endif
}

/* sum * multiplier / 2^(32 + shift) + zero, rounded; shift is at least 1. */
static int8_t requantized(int32_t sum, int32_t multiplier, int shift, int zero)
{
    const int32_t high = (int64_t)sum * multiplier >> 32;
    return clamped(((high + (1 << (shift - 1))) >> shift) + zero);
}

/* What the taps of a filter see at one moment, less the zero of the map; zeros beyond the map and up to `size`. */
static void gather(const int8_t *x, int length, int channels, int zero, int first, int taps, int dilation,
                   int16_t *column, int size)
{
    memset(column + taps * channels, 0, (size - taps * channels) * sizeof *column);
    for (int k = 0; k < taps; k++, first += dilation, column += channels) {
        const int8_t *from = x + first * channels;
        if (first < 0 || first >= length)
            memset(column, 0, channels * sizeof *column);
        else
#pragma GCC unroll 4
            for (int c = 0; c < channels; c++)
                column[c] = from[c] - zero;
    }
}

/* Sums of two filters, at w and w + size, with two columns. */
static void dots(const int8_t *w, const int16_t *p, const int16_t *q, int size, int32_t sums[4])
{
    int32_t a = sums[0], b = sums[1], c = sums[2], d = sums[3];
    const int8_t *v = w + size;
#if defined(__ARM_FEATURE_DSP)
    for (int j = 0; j < size; j += 4) {
        uint32_t ww, vv;
        int16x2_t p0, p1, q0, q1;
        memcpy(&ww, w + j, 4), memcpy(&vv, v + j, 4);
        memcpy(&p0, p + j, 4), memcpy(&p1, p + j + 2, 4), memcpy(&q0, q + j, 4), memcpy(&q1, q + j + 2, 4);
        const int16x2_t w0 = __sxtb16(ww), w1 = __sxtb16(ww >> 8 | ww << 24);
        const int16x2_t v0 = __sxtb16(vv), v1 = __sxtb16(vv >> 8 | vv << 24);
        a = __smlad(w1, p1, __smlad(w0, p0, a)), b = __smlad(v1, p1, __smlad(v0, p0, b));
        c = __smlad(w1, q1, __smlad(w0, q0, c)), d = __smlad(v1, q1, __smlad(v0, q0, d));
    }
#else
    for (int j = 0; j < size; j += 4) {
        a += w[j] * p[j] + w[j + 2] * p[j + 1] + w[j + 1] * p[j + 2] + w[j + 3] * p[j + 3];
        b += v[j] * p[j] + v[j + 2] * p[j + 1] + v[j + 1] * p[j + 2] + v[j + 3] * p[j + 3];
        c += w[j] * q[j] + w[j + 2] * q[j + 1] + w[j + 1] * q[j + 2] + w[j + 3] * q[j + 3];
        d += v[j] * q[j] + v[j + 2] * q[j + 1] + v[j + 1] * q[j + 2] + v[j + 3] * q[j + 3];
    }
#endif
    sums[0] = a, sums[1] = b, sums[2] = c, sums[3] = d;
}

/* Where a ReLU follows, the zero of y is the least number there is. */
static void conv(const int8_t *x, int length, int inputs, int zero, int8_t *y, int moments, int outputs, int zero_y,
                 const int8_t *weight, const int32_t *bias, const int32_t *multiplier, const int8_t *shift, int taps,
                 int stride, int dilation)
{
    static int16_t columns[2][PPG_COLUMN];
    const int size = (taps * inputs + 3) / 4 * 4, before = taps / 2 * dilation;
    for (int t = 0; t < moments; t += 2) {
        const int both = t + 1 < moments;
        const int8_t *w = weight;
        gather(x, length, inputs, zero, t * stride - before, taps, dilation, columns[0], size);
        if (both)
            gather(x, length, inputs, zero, (t + 1) * stride - before, taps, dilation, columns[1], size);
        for (int o = 0; o < outputs; o += 2, w += 2 * size) {
            int32_t sums[4] = {bias[o], bias[o + 1], bias[o], bias[o + 1]};
            dots(w, columns[0], columns[1], size, sums);
            for (int m = 0; m <= both; m++)
                for (int i = 0; i < 2 && o + i < outputs; i++)
                    y[(t + m) * outputs + o + i] =
                        requantized(sums[2 * m + i], multiplier[o + i], shift[o + i], zero_y);
        }
    }
}

/* The head, with weights of 16 bits and sums that are not quantized: neighbouring bins differ by little. */
static void linear(const int8_t *x, int inputs, int zero, float *y, int outputs, const int16_t *weight,
                   const float *bias, const float *scale)
{
    static int16_t column[PPG_COLUMN];
    gather(x, 1, inputs, zero, 0, 1, 1, column, inputs);
    for (int o = 0; o < outputs; o++, weight += inputs) {
        int32_t sum = 0;
        for (int j = 0; j < inputs; j++)
            sum += weight[j] * column[j];
        y[o] = scale[o] * sum + bias[o];
    }
}

static void scale(const int8_t *x, int zero, int8_t *y, int zero_y, int moments, int channels, const int8_t *weight,
                  const int32_t *bias, const int32_t *multiplier, const int8_t *shift)
{
    for (int t = 0; t < moments; t++)
        for (int c = 0; c < channels; c++, x++, y++)
            *y = requantized((*x - zero) * weight[c] + bias[c], multiplier[c], shift[c], zero_y);
}

/* y + x: of x the largest of each `stride` samples, its channels from number `before` on. Factors are in 2^-20. */
static void add(const int8_t *x, int length, int inputs, int zero, int32_t factor, int8_t *y, int moments, int outputs,
                int zero_y, int32_t factor_y, int zero_sum, int stride, int before)
{
    for (int t = 0; t < moments; t++)
        for (int c = 0; c < outputs; c++, y++) {
            int32_t sum = (*y - zero_y) * factor_y + (1 << 19);
            if (c >= before && c < before + inputs) {
                const int8_t *from = x + t * stride * inputs + c - before;
                int32_t largest = *from;
                for (int k = 1; k < stride && t * stride + k < length; k++)
                    largest = from[k * inputs] > largest ? from[k * inputs] : largest;
                sum += (largest - zero) * factor;
            }
            *y = clamped((sum >> 20) + zero_sum);
        }
}

static void mean(const int8_t *x, int length, int channels, int zero, int8_t *y, int zero_y, int32_t multiplier, int shift)
{
    for (int c = 0; c < channels; c++) {
        int32_t sum = 0;
        for (int t = 0; t < length; t++)
            sum += x[t * channels + c] - zero;
        y[c] = requantized(64 * sum, multiplier, shift, zero_y); /* the mean of few is a large part of their sum */
    }
}

static void quantize(const float *x, int n, float scale, int zero, int8_t *y)
{
    for (int i = 0; i < n; i++) {
        const float value = x[i] / scale; /* lrintf would be a call */
        y[i] = value > 256 ? 127 : value < -256 ? -128 : clamped((int32_t)(value + (value < 0 ? -0.5f : 0.5f)) + zero);
    }
}

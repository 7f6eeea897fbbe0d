/* Operations in float32. Maps are (moments, channels), channels beside each other. Filters lie by four: for each four of
   them all weights of their column, four beside each other; four sums then share what is read. */

/* What the taps of a filter see at one moment, zeros beyond the map. */
static void gather(const float *x, int length, int channels, int first, int taps, int dilation, float *column)
{
    for (int k = 0; k < taps; k++, first += dilation, column += channels) {
        if (first < 0 || first >= length)
            memset(column, 0, channels * sizeof *column);
        else
            memcpy(column, x + first * channels, channels * sizeof *column);
    }
}

static void conv(const float *x, int length, int inputs, float *y, int moments, int outputs, const float *weight,
                 const float *bias, int taps, int stride, int dilation, int relu)
{
    static float columns[2][PPG_COLUMN];
    const int size = taps * inputs, before = taps / 2 * dilation;
    for (int t = 0; t < moments; t += 2) {
        const int both = t + 1 < moments;
        const float *w = weight;
        gather(x, length, inputs, t * stride - before, taps, dilation, columns[0]);
        if (both)
            gather(x, length, inputs, (t + 1) * stride - before, taps, dilation, columns[1]);
        for (int o = 0; o < outputs; o += 4) {
            float a0 = bias[o], a1 = bias[o + 1], a2 = bias[o + 2], a3 = bias[o + 3];
            float b0 = a0, b1 = a1, b2 = a2, b3 = a3;
#pragma GCC unroll 4
            for (int j = 0; j < size; j++, w += 4) {
                const float a = columns[0][j], b = columns[1][j];
                a0 += a * w[0], a1 += a * w[1], a2 += a * w[2], a3 += a * w[3];
                b0 += b * w[0], b1 += b * w[1], b2 += b * w[2], b3 += b * w[3];
            }
            const float sums[2][4] = {{a0, a1, a2, a3}, {b0, b1, b2, b3}};
            for (int m = 0; m <= both; m++)
                for (int i = 0; i < 4 && o + i < outputs; i++)
                    y[(t + m) * outputs + o + i] = relu && sums[m][i] < 0 ? 0 : sums[m][i];
        }
    }
}

static void scale(const float *x, float *y, int moments, int channels, const float *weight, const float *bias)
{
    for (int t = 0; t < moments; t++)
        for (int c = 0; c < channels; c++, x++, y++) {
            const float sum = *x * weight[c] + bias[c];
            *y = sum < 0 ? 0 : sum;
        }
}

/* Onto y: of x the largest of each `stride` samples, its channels from number `before` on. */
static void add(const float *x, int length, int inputs, float *y, int moments, int outputs, int stride, int before)
{
    for (int t = 0; t < moments; t++)
        for (int c = 0; c < inputs; c++) {
            float largest = x[t * stride * inputs + c];
            for (int k = t * stride + 1; k < (t + 1) * stride && k < length; k++)
                largest = x[k * inputs + c] > largest ? x[k * inputs + c] : largest;
            y[t * outputs + before + c] += largest;
        }
}

static void mean(const float *x, int length, int channels, float *y)
{
    for (int c = 0; c < channels; c++) {
        float sum = 0;
        for (int t = 0; t < length; t++)
            sum += x[t * channels + c];
        y[c] = sum / length;
    }
}

#include "ppg_signal.h"

#include <math.h>
#include <string.h>

/* TABLES */

static float filtered(float (*state)[2], float x)
{
    for (int i = 0; i < PPG_SECTIONS; i++) {
        const float *c = ppg_sections[i], y = c[0] * x + state[i][0];
        state[i][0] = c[1] * x - c[3] * y + state[i][1];
        state[i][1] = c[2] * x - c[4] * y;
        x = y;
    }
    return x;
}

/* As if the first sample had been there for ever. */
static void settle(float (*state)[2], float first)
{
    for (int i = 0; i < PPG_SECTIONS; i++)
        state[i][0] = ppg_settled[i][0] * first, state[i][1] = ppg_settled[i][1] * first;
}

void ppg_start(struct ppg_stream *s)
{
    memset(s, 0, sizeof *s);
}

/* One sample on the even grid; 1 if a window ends with it. */
static int keep(struct ppg_stream *s, float x)
{
#if PPG_CAUSAL
    const int each = PPG_FINER;
    if (!s->count)
        settle(s->state, x);
    x = filtered(s->state, x);
#else
    const int each = 1;
#endif
    if (s->count++ % each)
        return 0;
    s->ring[s->kept++ % (PPG_KEPT + 1)] = x;
    if (s->kept < PPG_KEPT || (s->kept - PPG_KEPT) % (PPG_STEP * PPG_FINER / each))
        return 0;
    s->first = s->kept - PPG_KEPT; /* a slow sensor may bring two samples of the grid at once, of which it is the first */
    return 1;
}

int ppg_push(struct ppg_stream *s, float sample)
{
    int due = 0;
    if (!s->begun)
        s->begun = 1, s->phase = PPG_INPUT_MILLIHERTZ, s->origin = sample, s->before = 0;
    else
        s->phase += PPG_GRID * 1000u;
    sample -= s->origin; /* an offset of any size */
    while (s->phase >= PPG_INPUT_MILLIHERTZ) {
        s->phase -= PPG_INPUT_MILLIHERTZ;
        due |= keep(s, sample - (sample - s->before) * s->phase / (PPG_GRID * 1000.0f));
    }
    s->before = sample;
    return due;
}

static int standardized(float window[PPG_SAMPLES], float largest)
{
    float sum = 0, squares = 0, size = 0;
    for (int i = 0; i < PPG_SAMPLES; i++)
        sum += window[i], size = fabsf(window[i]) > size ? fabsf(window[i]) : size;
    if (!(size > 1e-6f * largest))
        return 0; /* a constant, or not a number */
    for (int i = 0; i < PPG_SAMPLES; i++)
        window[i] -= sum / PPG_SAMPLES, squares += window[i] * window[i];
    for (int i = 0; i < PPG_SAMPLES; i++)
        window[i] /= sqrtf(squares / PPG_SAMPLES);
    return 1;
}

#if PPG_CAUSAL
int ppg_window(const struct ppg_stream *s, float window[PPG_SAMPLES])
{
    for (int i = 0; i < PPG_SAMPLES; i++)
        window[i] = s->ring[(s->first + i) % (PPG_KEPT + 1)];
    return standardized(window, 0);
}
#else
int ppg_window(const struct ppg_stream *s, float window[PPG_SAMPLES])
{
    static float padded[PPG_KEPT + 2 * PPG_PADDING];
    float *x = padded + PPG_PADDING, largest = 0, state[PPG_SECTIONS][2];
    for (int i = 0; i < PPG_KEPT; i++) {
        x[i] = s->ring[(s->first + i) % (PPG_KEPT + 1)] - s->ring[s->first % (PPG_KEPT + 1)];
        largest = fabsf(x[i]) > largest ? fabsf(x[i]) : largest;
    }
    for (int i = 1; i <= PPG_PADDING; i++) {
        x[-i] = 2 * x[0] - x[i];
        x[PPG_KEPT - 1 + i] = 2 * x[PPG_KEPT - 1] - x[PPG_KEPT - 1 - i];
    }
    const int n = PPG_KEPT + 2 * PPG_PADDING;
    settle(state, padded[0]);
    for (int i = 0; i < n; i++)
        padded[i] = filtered(state, padded[i]);
    settle(state, padded[n - 1]);
    for (int i = n - 1; i >= PPG_PADDING; i--)
        padded[i] = filtered(state, padded[i]);
    for (int i = 0; i < PPG_SAMPLES; i++)
        window[i] = x[i * PPG_FINER];
    return standardized(window, largest);
}
#endif

float ppg_median(const float logits[PPG_BINS])
{
    float largest = logits[0], total = 0, below = 0;
    for (int k = 1; k < PPG_BINS; k++)
        largest = logits[k] > largest ? logits[k] : largest;
    for (int k = 0; k < PPG_BINS; k++)
        total += expf(logits[k] - largest);
    for (int k = 0; k < PPG_BINS; k++) {
        const float mass = expf(logits[k] - largest);
        if (below + mass >= total / 2)
            return PPG_LOWEST + k + (total / 2 - below) / mass;
        below += mass;
    }
    return NAN; /* logits that are not finite */
}

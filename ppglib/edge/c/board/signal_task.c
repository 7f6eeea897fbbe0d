/* What is counted: 2 s of samples, the window that they complete, and the heart rate from logits. */

#include <string.h>

#include "ppg_signal.h"
#include "task.h"
#include "windows.h"

static struct ppg_stream stream;
static float window[PPG_SAMPLES], heart_rate;

void task(int i)
{
    if (i == 0) /* not of interest: the first 8 s less one sample */
        for (int k = 0; k < SAMPLES - SAMPLES_IN_STEP; k++)
            ppg_push(&stream, samples[k]);
    else if (i == 1)
        for (int k = SAMPLES - SAMPLES_IN_STEP; k < SAMPLES; k++)
            ppg_push(&stream, samples[k]);
    else if (i == 2)
        ppg_window(&stream, window);
    else
        heart_rate = ppg_median(window);
}

void told(void)
{
    uint32_t bits;
    memcpy(&bits, &heart_rate, 4);
    word(bits);
}

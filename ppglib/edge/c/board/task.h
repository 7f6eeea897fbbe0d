#include <stdint.h>

void word(uint32_t value); /* to the terminal */
void task(int i);
void told(void);

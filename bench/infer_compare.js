// Alternates our engine and ONNX Runtime: infer_compare.js INFER_BENCH [--quick] [--cpu] [--json FILE]
// [--only NET] [--batch N] [--threads N]
// One process per engine; each runs once in turn, with a pause before it, so that neither meets the
// other's spinning threads. Prints medians.
'use strict';
const { spawn, spawnSync } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');
const readline = require('readline');

const PAUSE_MS = 140;
const NETS = [
    { name: 'resnet18', side: 224, channels: 3 },
    { name: 'mobilenetv2', side: 224, channels: 3 },
    { name: 'unet', side: 256, channels: 1 },
];
const program = process.argv[2];
const quick = process.argv.includes('--quick');
const option = (name) => {
    const at = process.argv.indexOf(name);
    return at > 0 ? process.argv[at + 1] : null;
};
const only = option('--only');
const batches = option('--batch') ? [Number(option('--batch'))] : [1, 8];
const threadCounts = option('--threads') ? [Number(option('--threads'))] : os.cpus().length > 1 ? [1, 2] : [1];
const hasOrt = fs.existsSync(path.join(__dirname, '..', 'tests', 'node_modules', 'onnxruntime-node'));

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

class Engine {
    constructor(name, command, args) {
        this.name = name;
        this.times = [];
        this.cpuTimes = [];
        this.child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
        this.lines = readline.createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
    }
    async line() {
        const next = await this.lines.next();
        if (next.done) throw new Error(this.name + ' stopped');
        return next.value;
    }
    async start() {
        this.facts = JSON.parse(await this.line());
    }
    async run() {
        this.child.stdin.write('\n');
        return (await this.line()).split(' ').map(Number);
    }
    peakMegabytes() {
        const status = fs.readFileSync(`/proc/${this.child.pid}/status`, 'utf8');
        return Number(/VmHWM:\s+(\d+)/.exec(status)[1]) / 1024;
    }
    stop() {
        this.child.stdin.end();
    }
}

const median = (values) => values.slice().sort((a, b) => a - b)[Math.floor(values.length / 2)];

async function measure(folder, net, batch, threads) {
    const ours = ['f32', 'bf16', 'int8'].map(
        (p) => new Engine(p, program, ['serve', folder, net.name, p, String(batch), String(threads)]));
    const rivals = [];
    const ortArgs = (file) => [path.join(__dirname, 'ort_bench.js'), file, String(batch), String(threads),
        String(net.side), String(net.channels)];
    if (hasOrt) {
        rivals.push(new Engine('ORT f32', process.execPath, ortArgs(path.join(folder, net.name + '.onnx'))));
        const quantized = path.join(folder, net.name + '.qdq.onnx');
        if (fs.existsSync(quantized)) rivals.push(new Engine('ORT int8', process.execPath, ortArgs(quantized)));
    }
    const engines = rivals.concat(ours);
    for (const engine of engines) await engine.start();
    const rounds = (quick ? 7 : 21) - (batch > 1 ? (quick ? 2 : 10) : 0);
    for (let round = -2; round < rounds; round++) {
        for (const engine of engines) {
            await pause(PAUSE_MS);
            const [ms, cpuMs] = await engine.run();
            if (round >= 0) {
                engine.times.push(ms);
                engine.cpuTimes.push(cpuMs);
            }
        }
    }
    const row = { net: net.name, batch, threads, engines: {} };
    for (const engine of engines) {
        row.engines[engine.name] = {
            ms: median(engine.times), fastest_ms: Math.min(...engine.times), cpu_ms: median(engine.cpuTimes),
            fastest_cpu_ms: Math.min(...engine.cpuTimes), load_ms: engine.facts.load_ms,
            peak_mb: engine.peakMegabytes(),
        };
        engine.stop();
    }
    return row;
}

function show(row) {
    const ort = row.engines['ORT f32'];
    const cells = Object.entries(row.engines).map(([name, e]) => {
        const ratio = ort && name !== 'ORT f32' ? ` (${(e.ms / ort.ms).toFixed(2)}x)` : '';
        return `${name} ${e.ms.toFixed(1)} ms${ratio}`;
    });
    console.log(`${row.net.padEnd(12)} batch ${row.batch} threads ${row.threads}:  ${cells.join('   ')}`);
    if (process.argv.includes('--cpu')) {
        const cpu = Object.entries(row.engines).map(([name, e]) => `${name} ${e.fastest_cpu_ms.toFixed(2)}` +
            (ort ? ` (${(e.fastest_cpu_ms / ort.fastest_cpu_ms).toFixed(2)}x)` : ''));
        console.log(`    processor time, fastest: ${cpu.join('   ')}`);
    }
}

async function main() {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'infer-bench-'));
    const rows = [];
    try {
        const made = spawnSync(program, ['export', folder], { stdio: ['ignore', 'inherit', 'inherit'] });
        if (made.status !== 0) throw new Error('infer_bench export failed');
        if (!hasOrt) console.log('(ONNX Runtime is not installed: only our own figures)');
        for (const net of NETS) {
            if (only && only !== net.name) continue;
            for (const batch of batches) {
                for (const threads of threadCounts) {
                    rows.push(await measure(folder, net, batch, threads));
                    show(rows[rows.length - 1]);
                }
            }
        }
        console.log('\npeak memory and load time, batch 1:');
        for (const row of rows.filter((r) => r.batch === 1 && r.threads === 1)) {
            const cells = Object.entries(row.engines).map(
                ([name, e]) => `${name} ${e.peak_mb.toFixed(0)} MB, ${e.load_ms.toFixed(0)} ms`);
            console.log(`${row.net.padEnd(12)} ${cells.join('   ')}`);
        }
        if (option('--json')) fs.writeFileSync(option('--json'), JSON.stringify(rows, null, 1) + '\n');
    } finally {
        fs.rmSync(folder, { recursive: true });
    }
}

main().catch((error) => {
    console.error('infer_compare: ' + error.message);
    process.exit(3);
});

// ONNX Runtime behind the protocol of `infer_bench serve`: ort_bench.js FILE BATCH THREADS
'use strict';
const path = require('path');
const readline = require('readline');
const ort = require(path.join(__dirname, '..', 'tests', 'node_modules', 'onnxruntime-node'));

async function main() {
    const [file, batchText, threadsText, sideText, channelsText] = process.argv.slice(2);
    const batch = Number(batchText);
    const side = Number(sideText);
    const channels = Number(channelsText);
    const before = performance.now();
    const session = await ort.InferenceSession.create(file, {
        intraOpNumThreads: Number(threadsText),
        interOpNumThreads: 1,
        executionMode: 'sequential',
        graphOptimizationLevel: 'all',
    });
    const load = performance.now() - before;
    const values = new Float32Array(batch * channels * side * side);
    let seed = 1;
    for (let i = 0; i < values.length; i++) {
        seed = (seed * 1103515245 + 12345) % 2147483648;
        values[i] = seed / 1073741824 - 1;
    }
    const feeds = { [session.inputNames[0]]: new ort.Tensor('float32', values, [batch, channels, side, side]) };
    process.stdout.write(JSON.stringify({ load_ms: load }) + '\n');
    const lines = readline.createInterface({ input: process.stdin });
    for await (const line of lines) {
        void line;
        const cpuStart = process.cpuUsage();
        const start = performance.now();
        await session.run(feeds);
        const wall = performance.now() - start;
        const cpu = process.cpuUsage(cpuStart);
        process.stdout.write(`${wall.toFixed(4)} ${((cpu.user + cpu.system) / 1000).toFixed(4)}\n`);
    }
}

main().catch((error) => {
    process.stderr.write('ort_bench: ' + error.message + '\n');
    process.exit(3);
});

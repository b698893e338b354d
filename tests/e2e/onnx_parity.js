// Runs the models of a folder in ONNX Runtime and compares with the outputs that the engine's
// reference wrote beside them: NAME.onnx, NAME.json (shapes), NAME.in.N and NAME.out.N (raw floats).
'use strict';
const fs = require('fs');
const path = require('path');
const folder = process.argv[2];
const ort = require(path.join(__dirname, '..', 'node_modules', 'onnxruntime-node'));

function floats(file) {
    const bytes = fs.readFileSync(file);
    return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}

async function check(name) {
    const base = path.join(folder, name);
    const facts = JSON.parse(fs.readFileSync(base + '.json', 'utf8'));
    const session = await ort.InferenceSession.create(base + '.onnx');
    const feeds = {};
    facts.inputs.forEach((input, i) => {
        feeds[input.name] = new ort.Tensor('float32', floats(`${base}.in.${i}`), input.shape);
    });
    const results = await session.run(feeds);
    let worst = 0;
    facts.outputs.forEach((output, i) => {
        const expected = floats(`${base}.out.${i}`);
        const got = results[output.name];
        if (!got || got.dims.join() !== output.shape.join()) {
            throw new Error(`${name}: output ${output.name} is ${got ? got.dims : 'missing'}, not ${output.shape}`);
        }
        let largest = 1e-30;
        let difference = 0;
        for (let k = 0; k < expected.length; k++) {
            largest = Math.max(largest, Math.abs(expected[k]));
            const d = Math.abs(expected[k] - got.data[k]);
            if (!(d <= difference)) difference = d;
        }
        if (!(difference / largest <= worst)) worst = difference / largest;
    });
    console.log(`${name}: largest relative difference ${worst.toExponential(1)}`);
    return worst <= 1e-4;
}

(async () => {
    const names = fs.readdirSync(folder).filter((f) => f.endsWith('.onnx')).map((f) => f.slice(0, -5));
    let failures = names.length === 0 ? 1 : 0;
    for (const name of names) {
        if (!(await check(name))) {
            console.log(`FAILED: ${name} differs by more than 1e-4`);
            failures++;
        }
    }
    process.exit(failures === 0 ? 0 : 1);
})().catch((error) => {
    console.log('FAILED: ' + error.message);
    process.exit(1);
});

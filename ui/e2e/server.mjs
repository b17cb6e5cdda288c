// Starts the real binary on free ports with a directory of its own, and waits until it answers.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';

const READY_WITHIN_MS = 20_000;

async function freeAddress() {
  const probe = createServer();
  probe.listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return `127.0.0.1:${port}`;
}

/** Asks again until `check` gives something, or the time is up. */
export async function until(check, what, within = READY_WITHIN_MS) {
  const end = Date.now() + within;
  for (;;) {
    const found = await check();
    if (found) return found;
    if (Date.now() > end) throw new Error(`${what} did not come about within ${within} ms`);
    await after(20);
  }
}

async function isReady(origin) {
  try {
    const response = await fetch(`${origin}/api/v1/status`);
    return response.ok && (await response.json()).ready;
  } catch {
    return false;
  }
}

export async function startServer() {
  const binary = process.env.CLEW_BIN;
  if (!binary) throw new Error('CLEW_BIN must name the clew binary to test');
  const directory = await mkdtemp(join(tmpdir(), 'clew-ui-'));
  const [query, grpc, http] = [await freeAddress(), await freeAddress(), await freeAddress()];
  const options = [
    '--query-address',
    query,
    '--otlp-grpc-address',
    grpc,
    '--otlp-http-address',
    http,
    '--prometheus-address',
    'none',
  ];
  const child = spawn(binary, ['serve', ...options, '--data-directory', directory], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => (output = (output + chunk).slice(-8000)));
  const origin = `http://${query}`;
  const stop = async () => {
    if (child.exitCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await until(async () => {
      if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
      return isReady(origin);
    }, 'the server being ready');
  } catch (error) {
    await stop();
    throw new Error(`${error.message}\n${output}`, { cause: error });
  }
  return { origin, otlp: `http://${http}`, stop };
}

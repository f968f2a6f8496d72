import { randomBytes } from 'node:crypto';
import { homedir } from 'node:os';
import { main } from './main.ts';

const stop = new AbortController();
const signals = ['SIGINT', 'SIGTERM'] as const;
const onSignal = (): void => {
  // The second one means it.
  if (stop.signal.aborted) process.exit(130);
  stop.abort();
};
for (const signal of signals) process.on(signal, onSignal);
// A reader that went away (`| head`) is not an error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

process.exitCode = await main(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: (text) => process.stdout.write(text),
  stderr: (text) => process.stderr.write(text),
  environment: process.env,
  home: homedir(),
  now: () => new Date(),
  random: (size) => randomBytes(size),
  signal: stop.signal,
  releaseSignals: () => {
    for (const signal of signals) process.off(signal, onSignal);
  },
});

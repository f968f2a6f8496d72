// Runs one child in the foreground and ends with it: its status becomes ours, and whatever asks us to stop reaches it.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';

/**
 * Runs `program` with our stdin, stdout and stderr and resolves to its exit status (128 + signal number if a signal
 * ended it). SIGTERM and SIGHUP are passed on. So is SIGINT, unless stdin is a terminal: the terminal has sent it to
 * the whole foreground group already, and npm sends it to us once more.
 */
export function runForeground(program, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit', ...options });
    const handlers = ['SIGINT', 'SIGTERM', 'SIGHUP'].map((signal) => {
      const handler = () => {
        if (signal === 'SIGINT' && process.stdin.isTTY) return;
        child.kill(signal);
      };
      process.on(signal, handler);
      return { signal, handler };
    });
    const tidy = () => {
      for (const { signal, handler } of handlers) process.off(signal, handler);
    };
    child.once('error', (error) => {
      tidy();
      reject(error);
    });
    child.once('exit', (status, signal) => {
      tidy();
      resolve(status ?? 128 + (constants.signals[signal] ?? 0));
    });
  });
}

/**
 * Runs `program` without stdin and resolves to its status and everything that it wrote, stdout and stderr together.
 * Asked to stop, it stops the program first and then ends this process.
 */
export function runQuietly(program, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    const chunks = [];
    child.stdout.on('data', (chunk) => chunks.push(chunk));
    child.stderr.on('data', (chunk) => chunks.push(chunk));
    let stoppedBy;
    const stop = (signal) => {
      stoppedBy = signal;
      child.kill(signal);
    };
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    for (const signal of signals) process.on(signal, stop);
    const finish = (status, extra = '') => {
      for (const signal of signals) process.off(signal, stop);
      if (stoppedBy !== undefined) process.exit(128 + constants.signals[stoppedBy]);
      resolve({ status, output: Buffer.concat(chunks).toString() + extra });
    };
    child.once('error', (error) => finish(127, error.message));
    child.once('close', (status) => finish(status ?? 1));
  });
}

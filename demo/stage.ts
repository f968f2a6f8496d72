import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const checkout = join(dirname(fileURLToPath(import.meta.url)), '..');
const command = join(checkout, 'apps', 'cli', 'bin', 'ensconce.mjs');

export interface Finished {
  readonly status: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Where the demonstration happens: a folder of its own, the processes it started, and what it prints. */
export class Stage {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'ensconce-demo-'));
  readonly signal: AbortSignal;
  readonly #services = new Set<ChildProcess>();
  readonly #quiet: boolean;
  #step = 0;

  /** `quiet` shows no command lines, for those who only need what stands on the stage. */
  constructor(signal: AbortSignal, options: { readonly quiet?: boolean } = {}) {
    this.signal = signal;
    this.#quiet = options.quiet ?? false;
  }

  path(...parts: string[]): string {
    return join(this.folder, ...parts);
  }

  step(title: string): void {
    this.signal.throwIfAborted();
    console.log(`\n── ${++this.#step}. ${title}`);
  }

  say(text: string): void {
    for (const line of text.replaceAll(this.folder, '.').trimEnd().split('\n')) console.log(`   ${line}`);
  }

  /** States something that was just tested; ends the demonstration where it does not hold. */
  check(claim: string, holds: boolean, found = ''): void {
    if (!holds)
      throw new Error(`${claim}: expected, but it does not hold${found === '' ? '' : `: ${found}`}`);
    console.log(`   ✔ ${claim}`);
  }

  #start(args: readonly string[]): ChildProcess {
    this.signal.throwIfAborted();
    return spawn(process.execPath, [command, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'],
        HOME: this.folder,
        SCONE_CLI_CONFIG: this.path('cli', 'config.json'),
      },
    });
  }

  #show(args: readonly string[]): void {
    if (this.#quiet) return;
    console.log(
      `   $ ensconce ${args.map((arg) => (/[\s$"]/.test(arg) ? `'${arg}'` : arg)).join(' ')}`.replaceAll(
        this.folder,
        '.',
      ),
    );
  }

  /** Runs one command line to its end and shows it as a user would type it. */
  async ensconce(args: readonly string[]): Promise<Finished> {
    this.#show(args);
    const child = this.#start(args);
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
    const end = (): boolean => child.kill('SIGTERM');
    this.signal.addEventListener('abort', end);
    const status = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve(code ?? 1));
    });
    this.signal.removeEventListener('abort', end);
    this.signal.throwIfAborted();
    return { status, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() };
  }

  /** {@link Stage.ensconce} for a command that must succeed; gives what it printed. */
  async succeed(args: readonly string[]): Promise<string> {
    const { status, stdout, stderr } = await this.ensconce(args);
    if (status !== 0)
      throw new Error(`ensconce ${args.join(' ')}: exit code 0 expected, ${status} found\n${stderr}`);
    return stdout.toString();
  }

  /** Starts a service with --json and waits for the object that it prints when it is ready. */
  async service(args: readonly string[]): Promise<Record<string, string>> {
    this.#show(args);
    const child = this.#start([...args, '--json']);
    this.#services.add(child);
    return new Promise((resolve, reject) => {
      let text = '';
      let errors = '';
      child.stderr?.on('data', (chunk: Buffer) => {
        errors = (errors + chunk.toString()).slice(-4000);
      });
      child.stdout?.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        if (text.trimEnd().endsWith('}')) resolve(JSON.parse(text) as Record<string, string>);
      });
      child.once('close', (code) =>
        reject(new Error(`ensconce ${args.join(' ')} ended with ${code}\n${errors}`)),
      );
      child.once('error', reject);
    });
  }

  /** Ends the services and removes the folder; nothing is left behind. */
  async tidy(): Promise<void> {
    const ended = [...this.#services].map(
      (child) =>
        new Promise<void>((resolve) => {
          if (child.exitCode !== null || child.signalCode !== null) {
            resolve();
            return;
          }
          child.once('close', () => resolve());
          child.kill('SIGTERM');
          setTimeout(() => child.kill('SIGKILL'), 5000).unref();
        }),
    );
    await Promise.all(ended);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

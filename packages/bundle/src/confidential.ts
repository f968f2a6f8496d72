import { statSync } from 'node:fs';
import { containerSpec, type BindMount } from './spec.ts';

/** The program that a confidential image starts with, and how it is recognised. */
export const entryPoint = '/.ensconce/runtime/bin/launch';

export interface ConfidentialContainer {
  readonly root: string;
  /** Arguments for the policy's `@@N`. */
  readonly args: readonly string[];
  /** `NAME=value` entries; the runtime reads SCONE_CAS_ADDR, SCONE_CONFIG_ID and the like. */
  readonly environment: readonly string[];
  readonly lasSocket: string;
  /** Where the runtime looks for it. */
  readonly lasSocketInside: string;
  readonly terminal: boolean;
  readonly network: 'host' | 'none';
  /** Folders of this machine, each at the path where the policy has a volume. */
  readonly volumes: readonly BindMount[];
}

const hostFiles = ['/etc/resolv.conf', '/etc/hosts'];

/**
 * What a confidential container needs of an engine: /dev/fuse, CAP_SYS_ADMIN and the LAS socket; nothing of it is trusted.
 * With CAP_SYS_NICE its files are read faster (docs/decisions/0015); it is the runtime's, not the application's.
 */
export function confidentialSpec(container: ConfidentialContainer): Record<string, unknown> {
  const present = hostFiles.filter((path) => statSync(path, { throwIfNoEntry: false }) !== undefined);
  return containerSpec({
    root: container.root,
    args: [entryPoint, ...container.args],
    environment: container.environment,
    directory: '/',
    uid: 0,
    gid: 0,
    terminal: container.terminal,
    extraCapabilities: ['CAP_SYS_ADMIN', 'CAP_SYS_NICE'],
    fuse: true,
    mounts: [
      { source: container.lasSocket, destination: container.lasSocketInside, readOnly: false },
      ...present.map((path) => ({ source: path, destination: path, readOnly: true })),
      ...container.volumes,
    ],
    hostname: 'ensconce',
    network: container.network,
    unmasked: true,
  });
}

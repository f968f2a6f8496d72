import { serveWorker } from '@ensconce/fuse/worker';
import { volumeFilesystem } from './worker.ts';

serveWorker(volumeFilesystem);

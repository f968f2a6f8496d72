import { serveWorker } from '@ensconce/fuse/worker';
import { volumeFilesystem } from '@ensconce/volume/worker';

serveWorker(volumeFilesystem);

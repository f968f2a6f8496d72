import { createServer, type Server, type Socket } from 'node:net';

/**
 * A server that begins connections in the order in which they come, one in each turn of the event loop, after what earlier ones
 * have to do. Begun as they come, all that are under way share the processor, and those that came first end last with the others.
 */
export function arrivals(begin: (socket: Socket) => void): Server {
  const waiting: Socket[] = [];
  const beginNext = (): void => {
    const socket = waiting.shift();
    if (waiting.length > 0) setImmediate(beginNext);
    if (socket !== undefined && !socket.destroyed) begin(socket);
  };
  // Nothing is read before it begins, so whoever begins finds all of it.
  return createServer({ pauseOnConnect: true }, (socket) => {
    // A connection that fails is closed all the same; without a listener the error would end the process.
    socket.on('error', () => {});
    if (waiting.push(socket) === 1) setImmediate(beginNext);
  });
}

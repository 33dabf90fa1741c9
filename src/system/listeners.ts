/** What a stream server listens on: any number of Unix sockets, descriptors and TCP ports. Whom it serves is its owner's matter. */

import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { listenError, prepareUnixSocket, withPrivateMode } from './unix-socket.ts';

export interface ListenersOwner {
  accept(socket: Socket): void;
  /** A listener that can accept nobody at the moment. */
  acceptFailed(address: string, error: Error): void;
}

export class Listeners {
  readonly #owner: ListenersOwner;
  readonly #listeners = new Set<Server>();

  constructor(owner: ListenersOwner) {
    this.#owner = owner;
  }

  /** On a Unix socket that only its owner can reach; a socket nobody answers on is replaced. Throws DmError. */
  async listenUnix(path: string): Promise<void> {
    await prepareUnixSocket(path);
    await this.#listen(path, (listener) => {
      withPrivateMode(() => listener.listen({ path }));
    });
  }

  /** Takes over a socket that somebody else, such as systemd, listens on. Throws DmError. */
  async listenDescriptor(fd: number): Promise<void> {
    await this.#listen(`descriptor ${fd}`, (listener) => listener.listen({ fd }));
  }

  /** Resolves with the port: the one given, or a free one for 0. Throws DmError. */
  async listenTcp(host: string, port: number): Promise<number> {
    const listener = await this.#listen(`${host}:${port}`, (server) => {
      server.listen({ host, port });
    });
    return (listener.address() as AddressInfo).port;
  }

  async #listen(address: string, listen: (listener: Server) => void): Promise<Server> {
    const listener = createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
      this.#owner.accept(socket),
    );
    await new Promise<void>((resolve, reject) => {
      listener.once('error', (error) => reject(listenError(address, error)));
      listener.once('listening', resolve);
      listen(listener);
    });
    listener.on('error', (error) => this.#owner.acceptFailed(address, error));
    this.#listeners.add(listener);
    return listener;
  }

  /** Accepts nobody any more; whoever is there stays. */
  close(): void {
    for (const listener of this.#listeners) listener.close();
    this.#listeners.clear();
  }
}

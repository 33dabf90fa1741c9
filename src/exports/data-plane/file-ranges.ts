/** Where on which files the data of a read lies: filled by the file leaves instead of reading, while `active`. */
export class FileRanges {
  active = false;
  count = 0;
  totalBytes = 0;
  readonly fds: number[] = [];
  readonly positions: number[] = [];
  readonly lengths: number[] = [];

  begin(): void {
    this.active = true;
    this.count = 0;
    this.totalBytes = 0;
  }

  end(): void {
    this.active = false;
  }

  /** In the order of the data; a range that continues the last one is joined to it. */
  add(fd: number, positionBytes: number, lengthBytes: number): void {
    const last = this.count - 1;
    this.totalBytes += lengthBytes;
    if (last >= 0 && this.fds[last] === fd) {
      const lastEnd = this.positions[last]! + this.lengths[last]!;
      if (lastEnd === positionBytes) {
        this.lengths[last]! += lengthBytes;
        return;
      }
    }
    this.fds[this.count] = fd;
    this.positions[this.count] = positionBytes;
    this.lengths[this.count] = lengthBytes;
    this.count += 1;
  }
}

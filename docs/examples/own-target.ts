// A target of one's own: a disk whose reads fail once a switch is thrown by a message.
import { DeviceMapper, Op, type TargetType } from 'devmapper';

const breaker: TargetType = {
  name: 'breaker',
  version: [1, 0, 0],
  usage: '<device>',
  summary: 'fails reads after the message "trip"',
  create(args, context) {
    const device = args.open(args.word('device'));
    args.end();
    let tripped = false;
    return {
      map(bio) {
        if (tripped && bio.op === Op.read) return 'kill';
        bio.device = device;
        bio.sector -= context.start;
        return 'remapped';
      },
      message([word]) {
        if (word !== 'trip') throw args.error('Unknown message', `expected trip, got "${word}"`);
        tripped = true;
        return undefined;
      },
      table: () => device.operand,
      status: () => (tripped ? 'tripped' : 'ok'),
      devices: () => [{ device, startSectors: 0, lengthSectors: context.length }],
    };
  },
};

await using mapper = new DeviceMapper({ targets: [breaker] });
await mapper.create({ name: 'disk', table: '0 2048 breaker mem:1M' });
await using disk = mapper.open('disk');
await disk.read({ offsetBytes: 0, lengthBytes: 4096 });
await mapper.message('disk', ['trip']);
await disk
  .read({ offsetBytes: 0, lengthBytes: 4096 })
  .catch((error: unknown) => console.log(String(error)));
console.log(mapper.status('disk')[0]?.status);

// Prints:
// DmError: Cannot read 4096 bytes at 0 of disk: EIO
// tripped

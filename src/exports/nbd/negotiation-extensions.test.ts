import { Buffer } from 'node:buffer';
import { describe, expect, test } from 'vitest';
import { Option } from '../../protocols/nbd/constants.ts';
import { encodeOption } from '../../protocols/nbd/handshake.ts';
import { decodeMetaContext } from '../../protocols/nbd/meta-context.ts';
import {
  createExport,
  infoRequest,
  metaQuery,
  NegotiatingClient,
  type NegotiationAnswer,
} from '../../testing/negotiating-client.ts';
import { fixedExports } from './exports.ts';

describe('metadata contexts', () => {
  function agreed(
    exports = fixedExports([createExport('a'), createExport('b')]),
  ): NegotiatingClient {
    const client = NegotiatingClient.greeted({ exports });
    client.option(Option.structuredReply);
    return client;
  }
  const names = (answers: NegotiationAnswer[]) =>
    answers.map(({ type, data }) => (type === 'metaContext' ? decodeMetaContext(data) : type));

  test.each([
    ['nothing', [], [{ id: 0, name: 'base:allocation' }, 'ack']],
    ['base:', ['base:'], [{ id: 0, name: 'base:allocation' }, 'ack']],
    ['the name', ['base:allocation'], [{ id: 0, name: 'base:allocation' }, 'ack']],
    ['other names', ['base:other', 'x-y:', 'nonsense', ''], ['ack']],
    ['targets of a device without', ['devmapper:'], ['ack']],
  ])('LIST with %s', (_name, queries, expected) => {
    const answers = agreed().option(Option.listMetaContext, metaQuery('a', ...queries));
    expect(names(answers)).toEqual(expected);
  });

  test.each([
    ['nothing', [], ['ack']],
    ['a wildcard', ['base:'], ['ack']],
    [
      'the name, twice',
      ['base:allocation', 'base:allocation'],
      [{ id: 1, name: 'base:allocation' }, 'ack'],
    ],
  ])('SET with %s', (_name, queries, expected) => {
    const answers = agreed().option(Option.setMetaContext, metaQuery('a', ...queries));
    expect(names(answers)).toEqual(expected);
  });

  test('count only for the export they were set for', () => {
    for (const [name, count] of [
      ['a', 1],
      ['b', 0],
    ] as const) {
      const client = agreed();
      client.option(Option.setMetaContext, metaQuery('a', 'base:allocation'));
      client.option(Option.go, infoRequest(name));
      expect(client.session!.contexts).toHaveLength(count);
    }
  });

  test('are gone after a SET that fails', () => {
    const client = agreed();
    client.option(Option.setMetaContext, metaQuery('a', 'base:allocation'));
    expect(client.types(Option.setMetaContext, metaQuery('c', 'base:'))).toEqual(['errUnknown']);
    client.option(Option.go, infoRequest('a'));
    expect(client.session!.contexts).toEqual([]);
  });

  test('need structured replies first', () => {
    const client = NegotiatingClient.greeted();
    for (const option of [Option.listMetaContext, Option.setMetaContext]) {
      expect(client.types(option, metaQuery('disk'))).toEqual(['errInvalid']);
    }
    client.option(Option.extendedHeaders);
    expect(client.types(Option.listMetaContext, metaQuery('disk', 'base:')).at(-1)).toBe('ack');
  });
});

describe('TLS', () => {
  test.each([
    ['off', 'errPolicy'],
    ['allowed', 'ack'],
    ['required', 'ack'],
  ] as const)('STARTTLS where it is %s', (tlsMode, expected) => {
    const client = NegotiatingClient.greeted({ tlsMode });
    expect(client.types(Option.starttls)).toEqual([expected]);
    expect(client.end).toBe(expected === 'ack' ? 'tls' : '');
  });

  test('nothing else goes before it where it is required, known or not', () => {
    const client = NegotiatingClient.greeted({ tlsMode: 'required' });
    for (const option of [Option.list, Option.info, Option.go, Option.structuredReply, 99]) {
      expect(client.types(option)).toEqual(['errTlsReqd']);
    }
  });

  test('forgets what was agreed on before it, and is not started twice', () => {
    const client = NegotiatingClient.greeted({ tlsMode: 'allowed' });
    client.option(Option.structuredReply);
    client.option(Option.setMetaContext, metaQuery('disk', 'base:allocation'));
    client.option(Option.starttls);
    expect(client.option(Option.list)).toEqual([]);
    client.negotiation.tlsStarted();
    client.negotiation.resume();
    expect(client.types(Option.starttls).at(-1)).toBe('errInvalid');
    client.option(Option.go, infoRequest('disk'));
    expect(client.session).toMatchObject({ tls: true, structuredReplies: false, contexts: [] });
  });

  test('plain bytes behind STARTTLS end it', () => {
    const client = NegotiatingClient.greeted({ tlsMode: 'allowed' });
    client.negotiation.receive(
      Buffer.concat([encodeOption(Option.starttls), encodeOption(Option.list)]),
    );
    expect(client.end).toBe('close: plain bytes behind STARTTLS');
  });
});

// The layers of docs/ARCHITECTURE.md: a file imports from its own layer and from those before it in this list.
const LAYERS = [
  'base',
  'codec',
  'system',
  'crypto',
  'protocols',
  'core',
  'devices',
  'formats',
  'targets',
  'control',
  'exports',
  'mapper',
  'crashtest',
  'daemon',
  'exec',
  'cli',
];

// What one of our imports resolves to. A layer may be a folder or the one file of its name.
const ours = (layers) => `^src/(${layers.join('|')})(/|\\.ts$)`;
const TEST = '\\.test\\.ts$';

// Tests may set up anything; what ships keeps the order.
const layerRules = LAYERS.map((layer, index) => ({
  name: `layer-${layer}`,
  comment: `src/${layer} imports only from ${LAYERS.slice(0, index + 1).join(', ')}`,
  severity: 'error',
  from: { path: ours([layer]), pathNot: TEST },
  to: { path: ours([...LAYERS.slice(index + 1), 'testing', 'index']) },
}));

module.exports = {
  forbidden: [
    ...layerRules,
    {
      name: 'layer-known',
      comment: 'Every file in src belongs to a layer of this list',
      severity: 'error',
      from: {},
      to: { path: '^src/', pathNot: ours([...LAYERS, 'testing', 'index']) },
    },
    {
      name: 'layer-testing',
      comment: 'What tests share may use everything but the command line',
      severity: 'error',
      from: { path: ours(['testing']) },
      to: { path: ours(['cli', 'index']) },
    },
    {
      name: 'core-is-pure',
      comment:
        'base, codec, protocols and core compute; sockets, files and threads belong to other layers',
      severity: 'error',
      from: { path: ours(['base', 'codec', 'protocols', 'core']), pathNot: TEST },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'foreign-calls-in-one-place',
      comment: 'Only src/system calls into C; it has a fallback for where koffi is missing',
      severity: 'error',
      from: { pathNot: '^src/system/' },
      to: { path: 'node_modules/koffi' },
    },
    {
      name: 'tests-stay-outside',
      comment: 'Nothing that ships imports a test, the tools of tests, or anything outside src',
      severity: 'error',
      from: { path: '^src/', pathNot: [TEST, ours(['testing'])] },
      to: { path: [TEST, '^(test|bench|scripts|docs)/', 'node_modules/(vitest|fast-check)/'] },
    },
    {
      name: 'no-circle',
      comment:
        'Files that need each other at run time are one file or need a third; types may refer to each other',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-unresolved',
      comment: 'The imported file or package is not there',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'no-dev-dependency',
      comment: 'What ships uses only dependencies and optionalDependencies',
      severity: 'error',
      from: { path: '^(src|bin)/', pathNot: [TEST, ours(['testing'])] },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|coverage)/' },
    tsPreCompilationDeps: true, // type imports count
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'types'],
    },
  },
};

import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

export default defineConfig(
  globalIgnores(['lib/', 'src/generated/']),
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } }
  },
  coreOnly(['src/core/*.ts'], '../*'),
  coreOnly(['src/core/*/*.ts'], '../../*'),
  coreOnly(['src/core/*/*/**/*.ts'], '../../../*')
);

function coreOnly(files, above) {
  const patterns = [
    { group: ['@jupyter*', '@jupyter*/**', '@lumino/*'], message: 'core/ must run without Jupyter.' },
    { group: [above], message: 'core/ must not depend on its adapters.' }
  ];
  return { files, rules: { 'no-restricted-imports': ['error', { patterns }] } };
}

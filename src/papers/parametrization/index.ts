export { ARCHITECTURES, studyNet, type Architecture, type NetOptions } from './architectures.js';
export { digitsData, imageData, type StudyData } from './data.js';
export { studyFigures, studyTables, summary } from './figures.js';
export type { StudyMemory } from './memory.js';
export { STUDY_SIZES, type StudySizes } from './sizes.js';
export {
  improvedStandardStudy,
  STUDY_PARTS,
  type StudyOptions,
  type StudyPart,
  type StudyResult,
} from './study.js';

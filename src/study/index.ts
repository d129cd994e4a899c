export { ARCHITECTURES, studyNet, type Architecture, type NetOptions } from './architectures.js';
export { digitsData, imageData, type StudyData } from './data.js';
export { studyFigures, studyTables, summary } from './figures.js';
export {
  improvedStandardStudy,
  STUDY_SIZES,
  type StudyOptions,
  type StudyResult,
  type StudySizes,
} from './study.js';

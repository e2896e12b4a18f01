/* A room without sources yet still is a library. */
typedef int pn_empty_translation_unit;

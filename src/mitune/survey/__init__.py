"""The human study: which pictures people find aligned, asked in a browser (MI-TUNE, Appendix B)."""

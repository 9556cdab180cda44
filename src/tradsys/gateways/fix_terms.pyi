# Everything in this module is for cimport.

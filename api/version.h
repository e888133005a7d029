/*
 * The version of smegmesh; all programs of a build have the same.
 */
#ifndef SMEG_API_VERSION_H
#define SMEG_API_VERSION_H

#define SMEG_VERSION "0.1.0"

#endif
